"""Reading a request body: JSON as the wire API has it, and the kinds of values that its fields hold.

What clients of all generations send is taken: booleans for "true" and "false", numbers as text, null for
absent. Source: wire API document, section 1 ("input tolerance") and 11.
"""

import base64
import binascii
import re
from codecs import BOM_UTF8
from functools import cache, lru_cache
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    SecretStr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from controller.api.json_object import NotAnObject, json_object
from controller.api.listener import arrived
from controller.api.wire.results import WireError, invalid_request
from controller.faults import SOUND_NAME, in_words
from controller.phone_number import PhoneNumber

Model = TypeVar("Model", bound="WireModel")

VERIFICATION_CODE = "must be 2 to 8 digits"
NUMBER_FORMAT = "The number format is incorrect."
_LARGEST_NUMERAL = 18
_BAD_REQUEST, _UNSUPPORTED = 400, 415
_COMPRESSED = re.compile(r"(?:x-)?(?:gzip|compress)|deflate|br|zstd|dcb|dcz", re.IGNORECASE)
"""Content-Encoding that is one. Others say nothing: Java programs write UTF-8 there."""


class WireModel(BaseModel):
    """A JSON object of the wire API: names as on the wire, unknown members ignored, null = absent.

    So is "" in what may be absent and is text: programs fill in a form that has every member.

    What stands below a field goes into the API's document.
    """

    model_config = ConfigDict(
        extra="ignore", frozen=True, arbitrary_types_allowed=True, use_attribute_docstrings=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty_text(cls, members: Any) -> Any:
        if not isinstance(members, dict) or "" not in members.values():
            return members
        optional = _optional_text(cls)
        return {name: value for name, value in members.items() if value != "" or name not in optional}


@cache
def _optional_text(model: type[WireModel]) -> frozenset[str]:
    """Members that may be absent and are written as text: names, addresses, choices, but no numbers."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if not field.is_required() and field.annotation not in (int, list[Any])
    )


def _phone_number(value: Any) -> PhoneNumber:
    if not isinstance(value, str):
        raise ValueError("must be a string")  # noqa: TRY004
    return PhoneNumber(value)


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("must be true or false")


def _integer(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be an integer")  # noqa: TRY004
    if isinstance(value, str):
        if not value.isascii() or not value.isdigit() or len(value) > _LARGEST_NUMERAL:
            raise ValueError("must be an integer")
        return int(value)
    return value


def _digits(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _push_url(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 128:
        raise ValueError("must be Base64 text of 1 to 128 characters")
    return _url_of(value)


@lru_cache(1024)
def _url_of(value: str) -> str:
    """The address in Base64. Customers send the same ones with every call.

    Some encoders break lines after 76 characters.
    """
    try:
        url = base64.b64decode(value.replace("\r", "").replace("\n", ""), validate=True).decode()
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except (binascii.Error, ValueError):
        raise ValueError("is not the Base64 form of an address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid:
        raise ValueError("is not an http or https address")
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("is not an http or https address")
    return url


def _user_data(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 256:
        raise ValueError("must be a string of 1 to 256 characters")
    if "{" in value or "}" in value:
        raise ValueError("must not contain { or }")
    return value


def _verify_code(value: Any) -> SecretStr:
    if not isinstance(value, str) or not 2 <= len(value) <= 8 or not (value.isascii() and value.isdigit()):
        raise ValueError(VERIFICATION_CODE)
    return SecretStr(value)


def _schema(kind: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, **more})


Number = Annotated[
    PhoneNumber,
    BeforeValidator(_phone_number),
    _schema("string", minLength=4, maxLength=31, pattern=r"^\+[1-9][0-9]{2,29}$"),
]
Flag = Annotated[
    bool,
    BeforeValidator(_flag),
    WithJsonSchema({"oneOf": [{"type": "string", "enum": ["true", "false"]}, {"type": "boolean"}]}),
]
NUMERALS = BeforeValidator(_integer)
"""An integer may be a string of digits."""
DIGITS = BeforeValidator(_digits)
"""A string of digits may be an integer."""
PushUrl = Annotated[
    str, BeforeValidator(_push_url), _schema("string", minLength=1, maxLength=128, contentEncoding="base64")
]
VerifyCode = Annotated[
    SecretStr, BeforeValidator(_verify_code), _schema("string", pattern="^[0-9]{2,8}$", writeOnly=True)
]
UserData = Annotated[
    str,
    BeforeValidator(_user_data),
    _schema("string", minLength=1, maxLength=256, pattern="^[^{}]*$"),
]
SoundName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=SOUND_NAME)]


async def read_body(request: web.Request) -> bytes:
    """The body of a request. Raises WireError when it is no body that can be read."""
    if any(_COMPRESSED.fullmatch(coding.strip()) for coding in _codings(request)):
        raise WireError("1010002", "Content-Encoding is not supported", status=_UNSUPPORTED)
    try:
        raw = await request.read()
    except (web.RequestPayloadError, BadHttpMessage):
        raise WireError("1010002", "The body is not valid HTTP.", status=_BAD_REQUEST) from None
    arrived(request)
    return raw


def _codings(request: web.Request) -> list[str]:
    return ",".join(request.headers.getall("Content-Encoding", [])).split(",")


def parse_body(raw: bytes, model: type[Model]) -> Model:
    """A checked request. Raises WireError 1010002 that names the first parameter at fault."""
    try:
        # Some programs write a byte order mark first.
        return model.model_validate(_without_nulls(json_object(raw.removeprefix(BOM_UTF8))))
    except NotAnObject as error:
        raise invalid_request(str(error)) from None
    except ValidationError as error:
        raise _first_fault(error) from None


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(part) for name, part in value.items() if part is not None}
    return [_without_nulls(part) for part in value] if isinstance(value, list) else value


def _first_fault(error: ValidationError) -> WireError:
    fault = error.errors(include_url=False, include_input=False)[0]
    name = _path(fault["loc"])
    message = in_words(fault)
    if message == VERIFICATION_CODE:
        return WireError("1010022")
    if message == NUMBER_FORMAT:
        # The cloud's own sentence, and after it the parameter.
        return invalid_request(f"{NUMBER_FORMAT}{name}")
    return invalid_request(f"{name} {message}" if name else message)


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path

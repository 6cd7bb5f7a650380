"""Reading what a request carries: checked against the operation's models, faults told in words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMessage
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from controller.api.json_object import NotAnObject, json_object
from controller.api.listener import arrived
from controller.faults import in_words
from controller.management.problems import Fault, Invalid, Malformed, TooLarge, UnsupportedMediaType

_CHUNK = 65536
_STREAM_PATIENCE = 20
Place = Literal["body", "query"]


async def read_raw(request: web.Request, most: int) -> bytes:
    """The body's bytes. Raises TooLarge, UnsupportedMediaType or Malformed; never reads more than `most`."""
    _check_encoding(request)
    too_large = TooLarge(f"The body may have {most} bytes at most")
    if (request.content_length or 0) > most:
        raise too_large
    parts, length = [], 0
    try:
        async for part in request.content.iter_chunked(_CHUNK):
            parts.append(part)
            length += len(part)
            if length > most:
                raise too_large
    except (web.RequestPayloadError, BadHttpMessage):
        raise Malformed("The body is not valid HTTP") from None
    arrived(request)
    return b"".join(parts)


async def stream(request: web.Request, patience: float) -> AsyncIterator[bytes]:
    """The body's bytes as they come; whoever takes them says when there are too many.

    Raises UnsupportedMediaType or Malformed, and as `paced`.
    """
    _check_encoding(request)
    arrived(request)
    async for piece in paced(request.content.readany, patience):
        yield piece


async def paced(read: Callable[[], Awaitable[bytes]], patience: float) -> AsyncIterator[bytes]:
    """What `read` gives until that is nothing.

    Each piece has `patience` seconds and all together 20 times that: who sends them is known, so that they
    may take longer than those of other requests. Raises Malformed.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + patience * _STREAM_PATIENCE
    try:
        while True:
            async with asyncio.timeout(min(patience, end - clock())):
                piece = await read()
            if not piece:
                return
            yield piece
    except TimeoutError:
        raise Malformed("The body came too slowly") from None
    except (web.RequestPayloadError, BadHttpMessage):
        raise Malformed("The body is not valid HTTP") from None


def _check_encoding(request: web.Request) -> None:
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Content-Encoding is not supported")


def check_media_type(request: web.Request, taken: tuple[str, ...]) -> None:
    """Raises UnsupportedMediaType."""
    if request.content_type not in taken:
        raise UnsupportedMediaType(f"Content-Type must be {' or '.join(taken)}")


def parse_body(raw: bytes, model: type[BaseModel]) -> BaseModel:
    """A checked JSON body. Raises Malformed, Invalid."""
    try:
        json_object(raw)
        return model.model_validate_json(raw)
    except NotAnObject as error:
        raise Malformed(str(error)) from None
    except ValidationError as error:
        raise invalid(error, "body") from None


def parse_query(query: MultiMapping[str], model: type[BaseModel] | None) -> BaseModel | None:
    """Checked parameters. Raises Invalid."""
    known = {} if model is None else model.model_fields
    values: dict[str, Any] = {}
    faults = []
    for name in dict.fromkeys(query.keys()):
        given = query.getall(name)
        field = known.get(name)
        if field is None:
            faults.append(Fault(place="query", field=name, detail="is not known here"))
        elif "\x00" in "".join(given):
            faults.append(Fault(place="query", field=name, detail="has a character that is none"))
        elif _is_list(field.annotation):
            values[name] = given
        elif len(given) > 1:
            faults.append(Fault(place="query", field=name, detail="stands twice"))
        else:
            values[name] = given[0]
    if faults:
        raise _invalid(faults)
    if model is None:
        return None
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error, "query") from None


def invalid(error: ValidationError, place: Place) -> Invalid:
    """Every fault that pydantic found."""
    return _invalid(
        [
            Fault(
                place=place,
                field=".".join(map(str, fault["loc"])),
                detail=in_words(fault),
            )
            for fault in error.errors(include_url=False, include_input=False)
        ]
    )


def _invalid(faults: list[Fault]) -> Invalid:
    detail = "; ".join(f"{fault.field} {fault.detail}".strip() for fault in faults)
    return Invalid(detail[:1000], errors=faults)


def _is_list(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is list

"""The OpenAPI 3.1 document: requests from the models that check them, pushes as webhooks."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from pydantic import BaseModel

from controller.api.openapi.operations import OPERATIONS, Operation
from controller.api.openapi.pushes import MODELS as PUSHES
from controller.api.openapi.schemas import Json, component_schemas, reference
from controller.api.wire.idempotency import HEADER, PATTERN, REPLAYED
from controller.api.wire.results import RESULTS

_JSON = "application/json"
_ABOUT = """\
Voice callback, voice notification and voice verification code, as the cloud service VoiceCall has them.

Every answer is JSON with `resultcode` and `resultdesc`; `resultcode` is a string, `"0"` is success. Names are
case-sensitive. The server ends each connection. Members that are not in this document are ignored, `null`
stands for absent, `"true"` and `"false"` may be booleans, and integers may be strings of digits. All paths
below `/rest/httpsessions` and `/rest/provision` exist below `/sandbox` too.

`X-AKSK` is how today's clients prove who they are:
`PasswordDigest = Base64(HMAC-SHA256(secret, Nonce + Created))`.
Numbers that begin with `+999` are simulated callees: the examples can be tried without a phone.
"""

_STATUS = (
    "What happens in a call, at once and in its order. Answer 200; the body does not matter. Nothing is "
    "repeated, unless the app's push profile is durable."
)
_FEE = (
    "The end of calls, answered or not. Answer 200; anything else, or nothing, has it repeated six times, "
    "an hour apart (in the durable profile nine times in three days)."
)
_PUSH_HEADERS = {
    "X-AKSK": "The signature of X-AKSK, over this address, nonce and created; unless signing is off.",
    "webhook-id": "Apps with webhook secrets: the same however often a push is repeated.",
    "webhook-timestamp": "Apps with webhook secrets: when this attempt was made, in seconds since 1970.",
    "webhook-signature": "Apps with webhook secrets: `v1,` and a signature for each, separated by spaces.",
}
_SEQUENCE = {"X-Call-Sequence": "0, 1, 2 ... in each call, in the order in which things happened."}
_DIGEST = (
    '`UsernameToken Username="<app_key>", PasswordDigest="<digest>", Nonce="<nonce>", '
    'Created="<UTC or local time>Z"`'
)


@cache
def document() -> Json:
    """The whole document."""
    bodies = [operation.body for operation in OPERATIONS if operation.body is not None]
    models: list[type[BaseModel]] = [*bodies, *PUSHES]
    schemas, _references = component_schemas((model, "validation") for model in models)
    return {
        "openapi": "3.1.0",
        "info": {"title": "voicecall wire API", "version": version("voicecall"), "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"aksk": [], "authorization": []}, {"wsse": [], "authorization": []}, {"token": []}],
        "paths": {operation.path: {operation.method: _operation(operation)} for operation in OPERATIONS},
        "webhooks": {
            "status": {"post": _status_push()},
            "fee": {"post": _push("fee", "CDR push", _FEE, reference("FeePush"))},
        },
        "components": {
            "schemas": dict(sorted({**schemas, **_answers()}.items())),
            "securitySchemes": _proofs(),
        },
    }


def _operation(operation: Operation) -> Json:
    made: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.text,
        "responses": {**_success(operation), **_refusals(operation)},
    }
    parameters = [
        {"name": name, "in": "query", "required": True, "description": text, "schema": {"type": "string"}}
        for name, text in operation.query.items()
    ]
    if "{version}" in operation.path:
        versions = {"type": "string", "enum": ["v1.0", "v2.0"]}
        parameters.append({"name": "version", "in": "path", "required": True, "schema": versions})
    if operation.starts_call:
        parameters.append(_idempotency_key())
    if parameters:
        made["parameters"] = parameters
    if operation.tokens:
        made["security"] = [{"password": []}] if operation.name == "fastlogin" else []
    if operation.body is not None:
        content: Json = {"schema": reference(operation.body.__name__), "example": operation.example}
        made["requestBody"] = {"required": True, "content": {_JSON: content}}
    return made


def _success(operation: Operation) -> Json:
    if operation.name == "record":
        link = {"schema": {"type": "string", "format": "uri"}, "description": "The WAV file."}
        return {"301": {"description": "The recording is there.", "headers": {"Location": link}}}
    schema = "Started" if operation.starts_call else "Tokens" if operation.tokens else "Answer"
    done: Json = {"description": "Done.", "content": {_JSON: {"schema": reference(schema)}}}
    if operation.starts_call:
        text = "The key has started this call before; the answer is the one of then."
        done["headers"] = {
            name: {"description": text, "schema": {"const": it}} for name, it in REPLAYED.items()
        }
    return {"200": done}


def _idempotency_key() -> Json:
    text = (
        "Makes a request safe to repeat: for a day, the same key with the same body gets the same answer and "
        "starts no second call. With another body: 422; while the first is being answered: 409."
    )
    schema = {"type": "string", "pattern": PATTERN}
    return {"name": HEADER, "in": "header", "required": False, "description": text, "schema": schema}


def _refusals(operation: Operation) -> Json:
    by_status: dict[int, list[str]] = defaultdict(list)
    for code in operation.codes():
        by_status[RESULTS[code].status].append(code)
    made = {str(status): _refusal(codes) for status, codes in sorted(by_status.items())}
    made["429"] = _refusal(["1010010"])
    if operation.starts_call:
        made["409"] = made["422"] = _refusal(["1010002"])
        text = "Seconds after which the same request may pass, where that is known."
        made["403"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": text}}
    return made


def _refusal(codes: list[str]) -> Json:
    examples = {code: {"value": {"resultcode": code, "resultdesc": RESULTS[code].text}} for code in codes}
    return {
        "description": "Refused: " + ", ".join(codes),
        "content": {_JSON: {"schema": reference("Answer"), "examples": examples}},
    }


def _status_push() -> Json:
    events = ("CallEvent", "CollectEvent", "DisconnectEvent")
    schema = {"oneOf": [reference(name) for name in events]}
    return _push("status", "Status push", _STATUS, schema, _SEQUENCE)


def _push(name: str, summary: str, text: str, schema: Json, headers: Mapping[str, str] | None = None) -> Json:
    named = {**(headers or {}), **_PUSH_HEADERS}
    parameters = [
        {"name": header, "in": "header", "description": meaning, "schema": {"type": "string"}}
        for header, meaning in named.items()
    ]
    return {
        "operationId": name,
        "summary": summary,
        "description": text,
        "security": [],
        "parameters": parameters,
        "requestBody": {"required": True, "content": {_JSON: {"schema": schema}}},
        "responses": {"200": {"description": "Taken."}},
    }


def _answers() -> Json:
    code = {"type": "string", "pattern": "^[0-9]+$", "description": "`0` is success."}
    base = {"resultcode": code, "resultdesc": {"type": "string", "maxLength": 128}}
    text: Json = {"type": "string"}
    return {
        "Answer": _object("Success or refusal.", base),
        "Started": _object(
            "A call was started.",
            {
                **base,
                "sessionId": {"type": "string", "maxLength": 256, "description": "Names the call."},
                "idlePort": {
                    "type": "integer",
                    "minimum": 0,
                    "maximum": 65535,
                    "description": "Only if `returnIdlePort` asked for it.",
                },
            },
            optional=("idlePort",),
        ),
        "Tokens": _object(
            "Every value is a string.",
            {
                "access_token": text,
                "refresh_token": text,
                "expires_in": {"type": "string", "description": "Seconds.", "examples": ["172800"]},
                **base,
            },
        ),
    }


def _object(text: str, properties: Json, optional: tuple[str, ...] = ()) -> Json:
    return {
        "type": "object",
        "description": text,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _proofs() -> Json:
    def key(place: str, name: str, text: str) -> Json:
        return {"type": "apiKey", "in": place, "name": name, "description": text}

    return {
        "aksk": key("header", "X-AKSK", _DIGEST),
        "wsse": key("header", "X-WSSE", "The same with `Base64(SHA256(Nonce + Created + secret))`."),
        "authorization": key(
            "header",
            "Authorization",
            '`AKSK realm="SDP",profile="UsernameToken",type="Appkey"`, or `WSSE ...`',
        ),
        "token": key("query", "access_token", "Of a login or refresh."),
        "password": key("header", "Authorization", "The raw password."),
    }

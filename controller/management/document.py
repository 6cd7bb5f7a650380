"""The OpenAPI 3.1 document of the management API, made from its operations."""

import json
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from controller.api.openapi.schemas import Json, Key, component_schemas, reference
from controller.management import idempotency
from controller.management.operations import PREFIX, Download, Operation, Pieces, Stream, Upload
from controller.management.problems import (
    CONTENT_TYPE,
    ChangedMeanwhile,
    Conflict,
    CsrfTokenWrong,
    Forbidden,
    Invalid,
    KeyReused,
    Malformed,
    NotAuthenticated,
    NotFound,
    Problem,
    ProblemDocument,
    SecondFactorMissing,
    TooLarge,
    TooManyRequests,
    UnsupportedMediaType,
    VersionMissing,
)
from controller.management.roles import Role, Scope

_ABOUT = """\
Accounts, users, applications, numbers and all else around the calls. Calls themselves are made with the
wire API.

Programs show a token: `Authorization: Bearer vct_...`. Browsers log in at `/session`; with a session every
change also needs the session's token in `X-CSRF-Token`.

Roles: administrator, operator, developer, viewer; each may do all that those after it may. Users belong to
an account, or to the operator. Users of an account see what is the account's; of anything else they are
told that there is no such thing.

A refused request is answered with a problem document (RFC 9457). Its `type` says of which kind it is,
`errors` names each field at fault.

Lists come in pages: follow `next` until it is null. A `POST` with an `Idempotency-Key` can be repeated for
24 hours: it is answered as it was the first time, and nothing is done twice. Changes need `If-Match` with
the `ETag` of what was read before.
"""

_ROLE = {
    Scope.OPEN: "For anybody.",
    Scope.OWN: "For every user, about themselves.",
    Scope.ACCOUNT: "For role {role} and above, of the account or the operator.",
    Scope.OPERATOR: "For role {role} and above, of the operator.",
}


def document(operations: Iterable[Operation]) -> Json:
    """The whole document."""
    declared = list(operations)
    schemas, references = component_schemas(_models(declared), null_is_absent=False)
    queries = {operation.query for operation in declared if operation.query is not None}
    parameters = {
        query: schemas.pop(references[query, "validation"]["$ref"].rpartition("/")[2]) for query in queries
    }
    paths: Json = {}
    for operation in declared:
        made = _operation(operation, references, parameters)
        paths.setdefault(operation.path, {})[operation.method.lower()] = made
    made = {
        "openapi": "3.1.0",
        "info": {"title": "voicecall management API", "version": version("voicecall"), "description": _ABOUT},
        "servers": [{"url": PREFIX}],
        "security": [{"token": []}, {"session": [], "csrf": []}],
        "tags": [{"name": group} for group in dict.fromkeys(it.group for it in declared)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
                "session": {"type": "apiKey", "in": "cookie", "name": "voicecall"},
                "csrf": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-CSRF-Token",
                    "description": "Of the session; for changes.",
                },
            },
        },
    }
    # Programs that are made from the document get names that can be read.
    named: Json = json.loads(re.sub(r"\bPage_(\w+?)_(?=\")", r"\1Page", json.dumps(made)))
    return named


def problems_of(operation: Operation) -> list[type[Problem]]:
    """The problems that an operation can answer."""
    found: list[type[Problem]] = [Invalid, TooManyRequests, *operation.problems]
    if operation.scope is not Scope.OPEN:
        found += [NotAuthenticated, Forbidden]
        if not operation.is_safe:
            found.append(CsrfTokenWrong)
    if operation.needs_factor:
        found.append(SecondFactorMissing)
    if operation.kinds or operation.names_account:
        found.append(NotFound)
    if operation.body is not None:
        found += [Malformed, TooLarge, UnsupportedMediaType]
    if operation.locked:
        found += [ChangedMeanwhile, VersionMissing]
    if operation.creates:
        found += [KeyReused, Conflict]
    return sorted(dict.fromkeys(found), key=lambda problem: (problem.status, problem.slug))


def _models(operations: list[Operation]) -> Iterator[Key]:
    yield ProblemDocument, "serialization"
    for operation in operations:
        if operation.body not in (None, Upload, Stream):
            assert operation.body is not None
            assert issubclass(operation.body, BaseModel)
            yield operation.body, "validation"
        if operation.query is not None:
            yield operation.query, "validation"
        if operation.answer not in (None, Download, Pieces):
            assert issubclass(operation.answer, BaseModel)
            yield operation.answer, "serialization"


def _operation(operation: Operation, references: Any, queries: dict[type[BaseModel], Json]) -> Json:
    role = _ROLE[operation.scope].format(role=Role(operation.needs))
    made: Json = {
        "operationId": operation.name,
        "tags": [operation.group],
        "summary": operation.summary,
        "description": f"{operation.text} {role}".strip(),
        "parameters": [*_parameters(operation, queries)],
        "responses": {str(operation.status): _success(operation, references), **_refusals(operation)},
    }
    if operation.scope is Scope.OPEN:
        made["security"] = []
    if operation.body in (Upload, Stream):
        binary = {"schema": {"type": "string", "format": "binary"}}
        made["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(operation.media_types, binary),
        }
    elif operation.body is not None:
        schema = references[operation.body, "validation"]
        content = {"application/json": {"schema": schema, "example": operation.example}}
        made["requestBody"] = {"required": True, "content": content}
    if not made["parameters"]:
        del made["parameters"]
    return made


def _parameters(operation: Operation, queries: dict[type[BaseModel], Json]) -> Iterator[Json]:
    for kind in operation.kinds:
        yield {
            "name": kind.parameter,
            "in": "path",
            "required": True,
            "description": kind.description,
            "schema": {"type": "string", "pattern": kind.pattern},
        }
    if operation.query is not None:
        found = queries[operation.query]
        for name, schema in found["properties"].items():
            own = {key: value for key, value in schema.items() if key != "description"}
            yield {
                "name": name,
                "in": "query",
                "required": name in found.get("required", ()),
                "description": schema.get("description", ""),
                "schema": _without_null(own),
            }
    if operation.locked:
        yield _header("If-Match", "`ETag` of what was read; `*` for any.", required=True)
    if operation.creates:
        text = "Names the attempt, so that repeating it does nothing twice."
        yield _header(idempotency.HEADER, text, pattern=idempotency.PATTERN)


def _header(name: str, text: str, *, required: bool = False, **schema: str) -> Json:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": text,
        "schema": {"type": "string", **schema},
    }


def _without_null(schema: Json) -> Json:
    """A parameter's schema: in a query nothing is null."""
    if schema.get("default", ...) is None:
        del schema["default"]
    real = [part for part in schema.pop("anyOf", []) if part != {"type": "null"}]
    for part in real:
        schema |= part
    return schema


def _success(operation: Operation, references: Any) -> Json:
    headers: Json = {"X-Request-Id": {"schema": {"type": "string"}, "description": "Names this request."}}
    if operation.answer is None:
        return {"description": "Done.", "headers": headers}
    if operation.answer in (Download, Pieces):
        anything = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
        return {"description": "The file.", "headers": headers, "content": anything}
    if operation.method in ("GET", "PATCH", "PUT"):
        headers["ETag"] = {"schema": {"type": "string"}, "description": "The version, for `If-Match`."}
    if operation.creates:
        text = "true if this is the answer to an earlier attempt."
        headers["Idempotent-Replayed"] = {"schema": {"type": "string"}, "description": text}
    schema = references[operation.answer, "serialization"]
    return {
        "description": "Done.",
        "headers": headers,
        "content": {"application/json": {"schema": schema}},
    }


def _refusals(operation: Operation) -> Json:
    made: Json = {}
    for problem in problems_of(operation):
        text = f"{problem.title} (`{problem.slug}`): {_first_line(problem)}"
        found = made.setdefault(str(problem.status), _refusal())
        found["description"] = f"{found['description']}\n{text}".strip()
    return made


def _refusal() -> Json:
    return {"description": "", "content": {CONTENT_TYPE: {"schema": reference("ProblemDocument")}}}


def _first_line(problem: type[Problem]) -> str:
    return re.sub(r"\s+", " ", problem.__doc__ or "").strip()

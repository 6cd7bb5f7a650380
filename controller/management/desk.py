"""Operations without HTTP of their own: asked for by commands on this machine and by the console's pages."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from controller.management.bodies import invalid, parse_body
from controller.management.context import Context, Services
from controller.management.idempotency import Repeated
from controller.management.operations import Operation, Stream, Upload
from controller.management.performing import check_path, check_role, perform, problem_of, settle_account
from controller.management.problems import TooLarge, UnsupportedMediaType, wrong_field

Fields = Mapping[str, Any]


class Desk:
    """Runs operations for whoever the context says is asking, with all the checks that HTTP has."""

    def __init__(self, operations: Iterable[Operation], services: Services) -> None:
        self._operations = {operation.handler: operation for operation in operations}
        self.services = services

    def operation_of(self, handler: Callable[..., Awaitable[Any]]) -> Operation:
        """The operation that is declared with this handler."""
        return self._operations[handler]

    async def run(self, context: Context, body: Any = None, query: Fields | None = None) -> Any:
        """What the operation answers. Raises Problem.

        :param body: the fields of a JSON body, or an Upload or Stream where the operation takes one.
        """
        operation = context.operation
        try:
            await check_role(context)
            await check_path(context)
            arguments = _arguments(operation, body, query)
            if operation.names_account:
                await settle_account(context, arguments)
            return await perform(context, arguments)
        except Repeated as repeated:
            return _answered_before(operation, repeated.answer["body"])
        except Exception as error:  # as the server does
            raise problem_of(operation, error) from None


def _arguments(operation: Operation, body: Any, query: Fields | None) -> dict[str, Any]:
    """Raises Malformed, Invalid."""
    arguments: dict[str, Any] = {}
    if operation.query is not None:
        for name, value in (query or {}).items():
            if "\x00" in str(value):
                raise wrong_field(name, "has a character that is none", "query")
        try:
            arguments["query"] = operation.query.model_validate(dict(query or {}))
        except ValidationError as error:
            raise invalid(error, "query") from None
    if operation.body is Upload:
        if body.media_type not in operation.media_types:
            raise UnsupportedMediaType(f"Content-Type must be {' or '.join(operation.media_types)}")
        if len(body.content) > operation.max_body:
            raise TooLarge(f"The body may have {operation.max_body} bytes at most")
        arguments["body"] = body
    elif operation.body is Stream:
        arguments["body"] = body
    elif operation.body is not None:
        assert issubclass(operation.body, BaseModel)
        arguments["body"] = parse_body(json.dumps(dict(body or {})).encode(), operation.body)
    return arguments


def _answered_before(operation: Operation, body: Any) -> Any:
    if body is None or operation.answer is None or not issubclass(operation.answer, BaseModel):
        return body
    return operation.answer.model_validate(body)

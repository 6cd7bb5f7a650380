"""From a request to a handler and back: the one place where it is checked who may do what, and whose it is.

In this order: who asks (401), may their role (403), is the path's thing theirs (404), does what was sent make
sense (400, 413, 415, 422), does it name the version that it changes (428). A handler only runs when all of
that holds.
"""

import json
import logging
import math
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from controller.api.entrance import answer_bytes
from controller.api.openapi.routes import documentation_routes
from controller.api.pacing import LONGEST_WAIT
from controller.api.remote import Remote
from controller.management.bodies import check_media_type, parse_body, parse_query, read_raw, stream
from controller.management.context import Context, Services, etag
from controller.management.document import document
from controller.management.idempotency import HEADER, Attempt, Repeated
from controller.management.identity import Identity
from controller.management.operations import PREFIX, Download, Operation, Pieces, Stream, Upload
from controller.management.performing import check_path, check_role, perform, problem_of, settle_account
from controller.management.problems import (
    CONTENT_TYPE,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooManyRequests,
)
from controller.management.roles import Actor, Scope

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ManagementApi:
    """The routes of all operations."""

    def __init__(self, operations: Iterable[Operation], services: Services, remote: Remote) -> None:
        self._operations = tuple(operations)
        self._services = services
        self._remote = remote
        self._identity = Identity(services.database, services.settings.management, services.clock, remote)

    def routes(self) -> list[web.RouteDef]:
        """What the server serves."""
        routes = [
            web.route(operation.method, PREFIX + operation.path, self._handler(operation))
            for operation in self._operations
        ]
        documentation = documentation_routes(lambda: document(self._operations), PREFIX)
        return [*routes, *documentation, web.route("*", f"{PREFIX}/{{rest:.*}}", self._nowhere())]

    def _handler(self, operation: Operation) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            request_id = secrets.token_hex(8)
            try:
                answer = await self._answer(operation, request, request_id)
            except Exception as error:  # the one place where errors become answers
                answer = _refusal(problem_of(operation, error), request_id)
            answer.headers["X-Request-Id"] = request_id
            answer.headers["Cache-Control"] = "no-store"
            answer.headers["X-Content-Type-Options"] = "nosniff"
            return answer

        return handle

    def _nowhere(self) -> Handler:
        methods: dict[re.Pattern[str], set[str]] = {}
        for operation in self._operations:
            pattern = re.compile(re.sub(r"{\w+}", "[^/]+", PREFIX + operation.path))
            methods.setdefault(pattern, set()).add(operation.method)

        async def handle(request: web.Request) -> web.StreamResponse:
            allowed = {
                name
                for pattern, names in methods.items()
                if pattern.fullmatch(request.path)
                for name in names
            }
            answer = _refusal(MethodNotAllowed() if allowed else NotFound(), secrets.token_hex(8))
            if allowed:
                answer.headers["Allow"] = ", ".join(sorted(allowed))
            return answer

        return handle

    async def _answer(
        self, operation: Operation, request: web.Request, request_id: str
    ) -> web.StreamResponse:
        actor = await self._actor(operation, request)
        context = Context(
            operation=operation,
            services=self._services,
            actor=actor,
            path=dict(request.match_info),
            account_id=None if actor is None else actor.account_id,
            address=self._remote.address(request),
            request_id=request_id,
            if_match=request.headers.get("If-Match"),
        )
        await check_role(context)
        await check_path(context)
        arguments = await self._arguments(context, request)
        try:
            result = await perform(context, arguments)
        except Repeated as repeated:
            return _json(operation, repeated.answer["body"], {"Idempotent-Replayed": "true"})
        answer = _answer(operation, result)
        if context.new_session is not None:
            lifetime = timedelta(hours=self._services.settings.management.session_hours)
            self._identity.set_cookie(answer, request, context.new_session, lifetime)
        return answer

    async def _actor(self, operation: Operation, request: web.Request) -> Actor | None:
        if operation.scope is Scope.OPEN:
            return None
        return await self._identity.of(request, is_safe=operation.is_safe)

    async def _arguments(self, context: Context, request: web.Request) -> dict[str, Any]:
        operation = context.operation
        arguments: dict[str, Any] = {}
        query = parse_query(request.query, operation.query)
        if query is not None:
            arguments["query"] = query
            context.params = {
                name: request.query.getall(name) for name in dict.fromkeys(request.query) if name != "cursor"
            }
        raw = b""
        if operation.body is not None:
            check_media_type(request, operation.media_types)
        if operation.body is Stream:
            pieces = stream(request, self._services.settings.http.read_timeout)
            arguments["body"] = Stream(pieces, request.content_length)
        elif operation.body is not None:
            raw = await read_raw(request, operation.max_body)
            if operation.body is Upload:
                arguments["body"] = Upload(raw, request.content_type)
            else:
                assert issubclass(operation.body, BaseModel)
                arguments["body"] = parse_body(raw, operation.body)
        if operation.names_account:
            await settle_account(context, arguments)
        key = request.headers.get(HEADER)
        if operation.creates and key is not None:
            context.attempt = Attempt.of(context.user, operation.method, request.path, key, raw)
        return arguments


def turned_away() -> bytes:
    """The answer to a request that the entrance does not let in."""
    problem, request_id = TooManyRequests(retry_after=math.ceil(LONGEST_WAIT)), secrets.token_hex(8)
    body = problem.document(request_id).model_dump_json().encode()
    return answer_bytes(problem.status, CONTENT_TYPE, body, {**problem.headers, "X-Request-Id": request_id})


REFUSALS: Final = {b"/api/": turned_away}
"""What the entrance says to those that it turns away from here."""


def _answer(operation: Operation, result: Any) -> web.Response:
    if isinstance(result, Download | Pieces):
        return web.Response(
            body=result.content if isinstance(result, Download) else _encoded(result.pieces),
            content_type=result.media_type,
            headers={"Content-Disposition": f'attachment; filename="{result.file_name}"'},
        )
    headers = {}
    if isinstance(result, BaseModel) and (operation.method in ("GET", "PATCH", "PUT")):
        headers["ETag"] = etag(result)
    return _json(operation, None if result is None else result.model_dump(mode="json"), headers)


async def _encoded(pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece.encode()


def _json(operation: Operation, body: Any, headers: dict[str, str]) -> web.Response:
    if operation.status == 204:
        return web.Response(status=204, headers=headers)
    return web.json_response(body, status=operation.status, headers=headers, dumps=_dumps)


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _refusal(problem: Problem, request_id: str) -> web.Response:
    return web.Response(
        body=problem.document(request_id).model_dump_json().encode(),
        status=problem.status,
        content_type=CONTENT_TYPE,
        headers=problem.headers,
    )

"""A customer's push server: it keeps every request and answers as well or as badly as the plan says.

async with PushReceiver.start() as receiver:
    ...  # statusUrl=receiver.url("/status"), feeUrl=receiver.url("/fee")
    await receiver.wait_status(session_id, "disconnect")
    fee = await receiver.wait_cdr(session_id)
    receiver.plan(Reply(500), CloseConnection(), Reply(200), path="/fee")
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiohttp import web

_T = TypeVar("_T")
_SUCCESS = b'{"resultcode":"0","resultdesc":"Success"}'


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer with this status after `after` seconds."""

    status: int = 200
    body: bytes = _SUCCESS
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    after: float = 0.0


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request and never answer, until the client gives up or the receiver ends."""


@dataclass(frozen=True, slots=True)
class CloseConnection:
    """Take the request and close the connection without an answer."""


@dataclass(frozen=True, slots=True)
class Drip:
    """Announce the whole answer and send its body byte by byte, with `pause` seconds before each."""

    pause: float = 0.5
    status: int = 200
    body: bytes = _SUCCESS


@dataclass(frozen=True, slots=True)
class Redirect:
    """Send the client elsewhere."""

    location: str
    status: int = 302


@dataclass(frozen=True, slots=True)
class HugeBody:
    """Answer with a body of `size` bytes, chunked, so that the client can't know its length beforehand."""

    size: int = 64 << 20
    status: int = 200
    chunk: int = 64 << 10


Behaviour = Reply | Hang | CloseConnection | Drip | Redirect | HugeBody


@dataclass(frozen=True, slots=True)
class Push:
    """One request as it came; `arrived` is `time.monotonic()` when its body was complete."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes
    json: Any
    arrived: float

    def header(self, name: str) -> str | None:
        return next((value for own, value in self.headers if own.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class StatusPush:
    """A status push, taken apart."""

    event_type: str
    info: Mapping[str, Any]
    push: Push


HEALTH = "/healthz"
"""A GET of this is no push: it is for whoever wants to know whether the receiver serves."""


async def _is_well(_request: web.Request) -> web.Response:
    return web.Response()


class PushReceiver:
    """A server that is running; `start` makes one."""

    def __init__(self) -> None:
        self.pushes: list[Push] = []
        self.port = 0
        self._address = ""
        self._on_push: Callable[[Push], None] | None = None
        self._plans: dict[str | None, list[Behaviour]] = {None: [Reply()]}
        self._news = asyncio.Condition()
        self._closing = asyncio.Event()

    @classmethod
    @asynccontextmanager
    async def start(
        cls,
        *behaviours: Behaviour,
        address: str = "127.0.0.1",
        port: int = 0,
        on_push: Callable[[Push], None] | None = None,
    ) -> AsyncIterator["PushReceiver"]:
        """Serve on a free port (or `port`) until the end of the block; `on_push` is told of every push."""
        receiver = cls()
        receiver._on_push = on_push
        if behaviours:
            receiver.plan(*behaviours)
        application = web.Application(client_max_size=64 << 20)
        application.router.add_get(HEALTH, _is_well)
        application.router.add_route("*", "/{path:.*}", receiver._handle)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, address, port)
            await site.start()
            receiver._address = address
            receiver.port = runner.addresses[0][1]
            yield receiver
        finally:
            receiver._closing.set()
            await runner.cleanup()

    def url(self, path: str = "/") -> str:
        return f"http://{self._address}:{self.port}{path}"

    def plan(self, first: Behaviour, *later: Behaviour, path: str | None = None) -> None:
        """Say how the next requests are answered, one after the other; the last stays for all that follow.

        With `path` this is for requests to that path only, and goes before the general plan.
        """
        self._plans[path] = [first, *later]

    # What came

    def statuses(self, session_id: str | None = None) -> list[StatusPush]:
        """The status pushes (of one call) in the order of arrival."""
        found: list[StatusPush] = []
        for push in self.pushes:
            if isinstance(push.json, dict) and isinstance(push.json.get("statusInfo"), dict):
                info = push.json["statusInfo"]
                if session_id in (None, info.get("sessionId")):
                    found.append(StatusPush(push.json.get("eventType", ""), info, push))
        return found

    def cdrs(self, session_id: str | None = None) -> list[dict[str, Any]]:
        """The CDRs (of one call) in the order of arrival, repeats included."""
        return [
            fee
            for push in self.pushes
            if isinstance(push.json, dict) and isinstance(push.json.get("feeLst"), list)
            for fee in push.json["feeLst"]
            if session_id in (None, fee.get("sessionId"))
        ]

    async def wait_for(
        self, predicate: Callable[[Push], bool], timeout: float = 10, *, since: int = 0
    ) -> Push:
        """The first request for which the predicate holds, skipping the first `since` requests."""

        def found() -> Push | None:
            return next((push for push in self.pushes[since:] if predicate(push)), None)

        return await self._wait_until(found, timeout, "the expected push")

    async def wait_count(self, count: int, timeout: float = 10) -> list[Push]:
        """All requests, as soon as there are `count` of them."""
        return await self._wait_until(
            lambda: list(self.pushes) if len(self.pushes) >= count else None, timeout, f"{count} pushes"
        )

    async def wait_status(self, session_id: str | None, event_type: str, timeout: float = 10) -> StatusPush:
        """The first status push of that type (of that call)."""

        def found() -> StatusPush | None:
            return next((item for item in self.statuses(session_id) if item.event_type == event_type), None)

        return await self._wait_until(found, timeout, f"{event_type} of {session_id}")

    async def wait_cdr(self, session_id: str | None = None, timeout: float = 10) -> dict[str, Any]:
        """The first CDR (of that call)."""
        return await self._wait_until(
            lambda: next(iter(self.cdrs(session_id)), None), timeout, f"the CDR of {session_id}"
        )

    async def _wait_until(self, found: Callable[[], _T | None], timeout: float, what: str) -> _T:
        try:
            async with asyncio.timeout(timeout), self._news:
                while (result := found()) is None:
                    await self._news.wait()
                return result
        except TimeoutError:
            came = [_summary(push) for push in self.pushes]
            raise TimeoutError(f"no sign within {timeout} s of {what}; what came: {came}") from None

    # Answering

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = [(name, value) for name, value in request.headers.items()]
        push = Push(request.method, request.path_qs, headers, body, _parsed(body), time.monotonic())
        if self._on_push is not None:
            self._on_push(push)
        async with self._news:
            self.pushes.append(push)
            behaviour = self._next_behaviour(request.path)
            self._news.notify_all()
        return await self._behave(request, behaviour)

    def _next_behaviour(self, path: str) -> Behaviour:
        plan = self._plans.get(path, self._plans[None])
        return plan.pop(0) if len(plan) > 1 else plan[0]

    async def _behave(self, request: web.Request, behaviour: Behaviour) -> web.StreamResponse:
        match behaviour:
            case Reply():
                await self._pause(behaviour.after)
                return web.Response(
                    status=behaviour.status, body=behaviour.body, headers=dict(behaviour.headers)
                )
            case Redirect():
                return web.Response(status=behaviour.status, headers={"Location": behaviour.location})
            case Drip():
                return await self._drip(request, behaviour)
            case HugeBody():
                return await self._pour(request, behaviour)
            case Hang():
                await self._pause(None)
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    async def _drip(self, request: web.Request, behaviour: Drip) -> web.StreamResponse:
        response = web.StreamResponse(status=behaviour.status)
        response.content_length = len(behaviour.body)
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for byte in behaviour.body:
                await self._pause(behaviour.pause)
                await response.write(bytes([byte]))
        return response

    async def _pour(self, request: web.Request, behaviour: HugeBody) -> web.StreamResponse:
        response = web.StreamResponse(status=behaviour.status)
        response.enable_chunked_encoding()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            for start in range(0, behaviour.size, behaviour.chunk):
                if self._closing.is_set():
                    break
                await response.write(b"x" * min(behaviour.chunk, behaviour.size - start))
        return response

    async def _pause(self, seconds: float | None) -> None:
        """Wait, but no longer than the receiver lives."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _summary(push: Push) -> str:
    kind = push.json.get("eventType", "") if isinstance(push.json, dict) else f"{len(push.body)} bytes"
    return f"{push.method} {push.path} {kind}"

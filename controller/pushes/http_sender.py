"""Sends pushes over HTTP, on connections that are kept for the next ones to the same receiver."""

import asyncio
import base64
import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache, partial
from types import TracebackType
from typing import NamedTuple, Self

from yarl import URL

from controller.pushes.exchange import Exchange, NotHttp
from controller.pushes.guard import AddressGuard, AddressRefused
from controller.pushes.outbound import (
    LookUp,
    NoConnection,
    NoHandshake,
    NoName,
    Outbound,
    OwnThreads,
    Place,
    tls_context,
)
from controller.pushes.receiver import Delivery, Failure, retry_after
from controller.settings import PushSettings

log = logging.getLogger(__name__)

_KEEP_ALIVE = 3.0
"""Seconds. Under what usual servers have (Node.js: 5): a push on a connection that is just being closed is
lost, since it may have been taken."""

_FAILURES: dict[type[Exception], Failure] = {
    TimeoutError: Failure.TIMEOUT,
    NoName: Failure.DNS,
    AddressRefused: Failure.ADDRESS,
    NoConnection: Failure.CONNECT,
    NoHandshake: Failure.TLS,
    OSError: Failure.CLOSED,
    NotHttp: Failure.HTTP,
}


class HttpSender:
    """Sends pushes over HTTP: to guarded addresses, over verified TLS, following no redirect."""

    def __init__(self, settings: PushSettings, guard: AddressGuard, look_up: LookUp | None = None) -> None:
        self._settings = settings
        self._threads = OwnThreads()
        tls = tls_context(verify=settings.verify_tls, ca_file=settings.ca_file)
        self._outbound = Outbound(guard, tls, look_up or self._threads.look_up)
        self._kept: dict[Place, list[Exchange]] = defaultdict(list)
        """Those that nobody uses; the one that was used last is at the end."""
        self._closed = False

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """One attempt, with whatever status; never raises for what the receiver or the network does."""
        if self._closed:
            return Delivery(None, Failure.CLOSED, "nothing is sent any more")
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            place, head = _destination(url)
        except ValueError:
            return Delivery(None, Failure.ADDRESS, "not an address of HTTP")
        request = _request(head, headers, body)
        try:
            exchange = self._kept_exchange(place)
            if exchange is None:
                # That is a lot of work: what others have to say in this turn of the loop goes first.
                await asyncio.sleep(0)
                async with asyncio.timeout(self._settings.timeout):
                    exchange = await self._outbound.connect(place)
            answer = await exchange.ask(request, began + self._settings.timeout)
        except tuple(_FAILURES) as error:
            return Delivery(None, *self._failure(error), _milliseconds(loop.time() - began))
        if self._closed:
            exchange.close()
        elif exchange.is_open:
            exchange.idle(_KEEP_ALIVE, partial(self._forget, place))
            self._kept[place].append(exchange)
        return Delivery(
            answer.status,
            latency_ms=_milliseconds(answer.came_at - began),
            answer=answer.body,
            retry_after=retry_after(answer.retry_after, datetime.now(UTC)),
        )

    def _kept_exchange(self, place: Place) -> Exchange | None:
        """A connection that is still open, and now in use."""
        for exchange in reversed(self._kept.get(place, ())):
            if exchange.is_open:
                self._forget(place, exchange)
                return exchange
        return None

    def _forget(self, place: Place, exchange: Exchange) -> None:
        kept = self._kept[place]
        kept.remove(exchange)
        if not kept:
            del self._kept[place]

    def _failure(self, error: Exception) -> tuple[Failure, str]:
        """What went wrong: its class and its words."""
        if isinstance(error, TimeoutError):
            return Failure.TIMEOUT, f"no answer in {self._settings.timeout:g} s"
        if isinstance(error, AddressRefused):
            return Failure.ADDRESS, error.text
        failure = next(of for kind, of in _FAILURES.items() if isinstance(error, kind))
        return failure, str(error)

    async def __aenter__(self) -> Self:
        if not self._settings.verify_tls:
            log.warning("Certificates of receivers are not verified (pushes.verify_tls): anybody can be them")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        for exchange in [exchange for kept in self._kept.values() for exchange in kept]:
            exchange.close()
        self._threads.close()
        # Transports say at the next turn of the loop that they are closed.
        await asyncio.sleep(0)


class _Destination(NamedTuple):
    place: Place
    head: str
    """Of every request there."""


@lru_cache(4096)
def _destination(url: str) -> _Destination:
    """Raises ValueError for what is no address of HTTP."""
    parts = URL(url)
    if parts.scheme not in ("http", "https") or not parts.raw_host or not parts.port:
        raise ValueError("not an address of HTTP")
    # A dot at its end says that a name is whole; in Host and in certificates names stand without.
    host = (parts.host_subcomponent or "").removesuffix(".")
    if not host.isprintable() or " " in host:
        raise ValueError("not an address of HTTP")
    head = [
        f"POST {parts.raw_path_qs or '/'} HTTP/1.1",
        f"Host: {host if parts.is_default_port() else f'{host}:{parts.port}'}",
        "User-Agent: voicecall",
        "Accept: */*",
        "Accept-Encoding: identity",
    ]
    if parts.user is not None or parts.password is not None:
        credentials = f"{parts.user or ''}:{parts.password or ''}".encode()
        head.append(f"Authorization: Basic {base64.b64encode(credentials).decode()}")
    place = Place(parts.scheme == "https", parts.raw_host, parts.port)
    return _Destination(place, "".join(f"{line}\r\n" for line in head))


def _request(head: str, headers: Mapping[str, str], body: bytes) -> bytes:
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if fields.count("\n") != len(headers) or fields.count("\r") != len(headers) or "\0" in fields:
        raise ValueError("a header of a push has a line break in it")
    return f"{head}{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)

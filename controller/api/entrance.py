"""A connection until it is known whether, and when, it is worth reading.

Whoever was locked out for guessing, is refused all the time, or asks all the time for what anybody gets, may
send thousands of requests: each gets an answer that costs next to nothing, or waits unread.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final, cast

from aiohttp import web

from controller.api.crowd import Crowd
from controller.api.pacing import LONGEST_WAIT, Pacer, Turn
from controller.api.remote import Remote
from controller.api.wire.authentication import Lockout
from controller.api.wire.results import WireError, written
from controller.asterisk.media import PATH
from controller.clock import Clock
from controller.process import file_limit

CONTENT_TYPE: Final = "application/json;charset=UTF-8"
PROVEN: Final = web.RequestKey("proven", str)
"""Key under which a request keeps the app that it has proved to be from."""
OPEN: Final = web.RequestKey("open", bool)
"""Key under which a request notes that anybody is answered so, who need not prove anything."""
STARTED: Final = web.RequestKey("started", str)
"""Key under which a request keeps the session of the call that it started."""

_LOCKED_PATIENCE = 2.0
"""Seconds in which the request of a locked address must come."""
_LARGEST_HEAD = 16384
_CONNECTION_COSTS = 0.0004
"""Seconds of the loop's time that a request takes beside its handler: connection, HTTP, answer (measured)."""
_LONGEST_HANDLER = 0.0005
"""Seconds; more than that a handler has waited for others, such as the sender or the database."""

_END = b"\r\n\r\n"
_FORWARDED = re.compile(rb"^X-Forwarded-For:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_CLAIM = re.compile(rb'^X-(?:AKSK|WSSE):[^\r\n]*?Username\s*=\s*"([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE)
_HEALTH = re.compile(rb"GET (/healthz|/readyz)[ ?]")
_PROMPT = re.compile(rb"GET %b/[0-9a-f]{64}\.alaw[ ?]" % PATH.encode())
_AT_ONCE = Turn(0.0, "", (), 0.0)
HEALTH_LASTS: Final = 1.0
"""Seconds for which whoever asks all the time is told the same."""
_LOCKABLE = re.compile(rb"POST (?!/api/)")
"""Calls are asked for with POST; health checks, the documentation and the management API stay."""


@dataclass
class _Health:
    """An answer, and when there was last a look."""

    answer: bytes
    looked_at: float


class Gate:
    """Who may come in, and when."""

    def __init__(
        self,
        lockout: Lockout,
        pacer: Pacer,
        remote: Remote,
        clock: Clock,
        read_timeout: float,
        refusals: Mapping[bytes, Callable[[], bytes]] | None = None,
        crowd: Crowd | None = None,
        fetchers: Callable[[], Collection[str]] = tuple,
    ) -> None:
        """`refusals`: what begins of paths where being turned away is told otherwise, with that answer.

        `fetchers`: addresses that fetch prompts, as calls need them: strangers never make them wait for that.
        """
        self._fetchers = fetchers
        self._refusals = refusals or {}
        self._read_timeout = read_timeout
        self._lockout = lockout
        self._remote = remote
        self._clock = clock
        self.pacer = pacer
        # The other half is for Asterisk, the database, and receivers of pushes.
        self.crowd = crowd or Crowd(file_limit() // 2, remote.is_trusted)
        self._health: dict[bytes, _Health] = {}
        self.held: set[Entrance] = set()
        """Connections that are looked at or have to wait."""

    def is_open(self, peer: str) -> bool:
        """Whether a connection may be read without a look at its request."""
        return not (self._remote.is_trusted(peer) or self.is_locked(peer) or not self.pacer.is_clear(peer))

    def patience(self, peer: str) -> float:
        """Seconds in which the beginning of a request must come."""
        return _LOCKED_PATIENCE if self.is_locked(peer) else self._read_timeout

    def is_locked(self, address: str) -> bool:
        """Whether the address was locked out for guessing."""
        return self._lockout.is_locked(address, self._clock.now())

    def address(self, peer: str, head: bytes) -> str:
        """Who sent a request that begins so."""
        if not self._remote.is_trusted(peer):
            return peer
        forwarded = (text.decode("utf-8", "surrogateescape") for text in _FORWARDED.findall(head))
        return self._remote.beyond(peer, forwarded)

    def enter(self, address: str, head: bytes) -> Turn | None:
        """When a request may be read that begins so; None: it is turned away."""
        if _PROMPT.match(head) and address.removeprefix("::ffff:") in self._fetchers():
            return _AT_ONCE
        claim = _CLAIM.search(head)
        return self.pacer.enter(address, claim[1].decode("utf-8", "surrogateescape") if claim else "")

    def refusal(self, head: bytes) -> bytes:
        """The answer to a request that begins so and is turned away."""
        path = head.split(b" ", 2)[1:2]
        for start, told in self._refusals.items():
            if path and path[0].startswith(start):
                return told()
        return _TURNED_AWAY

    def health(self, path: bytes) -> bytes | None:
        """What was answered there just now; None: it is time to look again."""
        known, now = self._health.get(path), asyncio.get_running_loop().time()
        if known is None or now - known.looked_at > HEALTH_LASTS:
            if known is not None:
                known.looked_at = now
            return None
        return known.answer

    def remember_health(self, path: str, status: HTTPStatus, body: Mapping[str, object]) -> None:
        """Somebody was told how it is."""
        told = answer_bytes(status, CONTENT_TYPE, written(body).encode(), {})
        self._health[path.encode()] = _Health(told, asyncio.get_running_loop().time())

    def answered(
        self,
        request: web.Request,
        turn: Turn | None,
        status: int,
        app: str | None,
        seconds: float,
    ) -> None:
        """A request was answered; `app` is whose it is, if that was proved. Our own faults refuse nobody.

        What anybody is answered is paced like a refusal: a flood of either holds up calls.
        """
        if 400 <= status < 500 or request.get(OPEN, False):
            cost = _CONNECTION_COSTS + min(seconds, _LONGEST_HANDLER)
            self.pacer.refused(self._remote.address(request), app, cost, turn)
        elif app is not None:
            self.pacer.accepted(self._remote.address(request), turn)
        else:
            self.pacer.release(turn)

    def unreadable(self, request: web.BaseRequest) -> None:
        """A request was no HTTP."""
        self.pacer.refused(self._remote.address(request), None, _CONNECTION_COSTS, None)


class Entrance(asyncio.Protocol):
    """A connection until it is let in or turned away."""

    __slots__ = ("_entered", "_gate", "_make", "_peer", "_received", "_timer", "_transport", "_turn")

    def __init__(
        self, gate: Gate, make: Callable[[Turn | None, Callable[[], None]], asyncio.Protocol]
    ) -> None:
        """`make` makes who reads a connection that is let in; it calls what it is given when that is over."""
        self._gate = gate
        self._make = make
        self._peer = ""
        self._received = b""
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._turn: Turn | None = None
        self._entered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._entered = self._gate.crowd.enters(self._peer)
        if not self._entered:
            self.close()
        elif self._gate.is_open(self._peer):
            self._let_in()
        else:
            self._gate.held.add(self)
            patience = self._gate.patience(self._peer)
            self._timer = asyncio.get_running_loop().call_later(patience, self.close)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._turn is not None:
            return
        if self._gate.is_locked(self._peer):
            self._refuse_locked()
        elif _END in self._received or len(self._received) > _LARGEST_HEAD:
            self._judge(self._received.partition(_END)[0])

    def _judge(self, head: bytes) -> None:
        address = self._gate.address(self._peer, head)
        if self._gate.is_locked(address):
            self._refuse_locked()
        else:
            self._turn = self._gate.enter(address, head)
            health = _HEALTH.match(head)
            if health and (self._turn is None or self._turn.delay):
                self._tell_health(health[1])
            elif self._turn is None:
                self._answer(self._gate.refusal(head))
            elif self._turn.delay:
                self._wait(self._turn.delay)
            else:
                self._let_in()

    def _tell_health(self, path: bytes) -> None:
        """Whoever watches us is answered, however often somebody at their address asks."""
        told = self._gate.health(path)
        if told is None:
            self._let_in()
        else:
            self._answer(told)

    def _refuse_locked(self) -> None:
        if _LOCKABLE.match(self._received):
            self._answer(_LOCKED)
        else:
            self._let_in()

    def _wait(self, delay: float) -> None:
        self._stop_timer()
        self._transport.pause_reading()
        self._timer = asyncio.get_running_loop().call_later(delay, self._let_in)

    def close(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _answer(self, answer: bytes) -> None:
        self._transport.write(answer)
        self._transport.close()

    def _let_in(self) -> None:
        self._leave()
        protocol = self._make(self._turn, self._left)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if self._received:
            protocol.data_received(self._received)
            self._transport.resume_reading()

    def connection_lost(self, exc: BaseException | None) -> None:
        del exc
        self._leave()
        self._gate.pacer.release(self._turn)
        if self._entered:
            self._left()

    def _left(self) -> None:
        self._gate.crowd.leaves(self._peer)

    def _leave(self) -> None:
        self._stop_timer()
        self._gate.held.discard(self)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


def answer_bytes(status: int, content_type: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """An answer, and the end of its connection, without the HTTP server."""
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    )
    return head.encode() + body


def _wire_answer(error: WireError) -> bytes:
    return answer_bytes(error.status, CONTENT_TYPE, written(error.body).encode(), error.headers)


_LOCKED = _wire_answer(WireError("1020176"))
_TURNED_AWAY = _wire_answer(
    WireError("1010010", status=HTTPStatus.TOO_MANY_REQUESTS, passes_in=timedelta(seconds=LONGEST_WAIT))
)

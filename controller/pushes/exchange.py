"""One connection to a receiver: a request goes out whole, the beginning of an answer comes back.

Our own on top of httptools, since a general client costs a push three times as much: see decision 18.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

ANSWER_KEPT = 2048
"""Bytes of an answer that are read; nobody needs more, and none of it decides anything."""

_MOST = 65536
"""Bytes of an answer at most, whatever they are."""

_ANSWER_PATIENCE = 1.0
"""Seconds for the body of an answer, once its status is known."""


class NotHttp(Exception):
    """What came is no answer of HTTP."""


@dataclass(slots=True)
class Answer:
    """The head of an answer, and the beginning of its body as far as it came."""

    status: int
    came_at: float
    """When its head was there, on the loop's clock."""
    retry_after: str | None
    body: bytes = b""


class Exchange(asyncio.Protocol):
    """Carries one request after the other; after one that did not end well the connection is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: HttpResponseParser
        """From the beginning to the end of the connection: it holds this object, as this one holds it."""
        self._waiter: asyncio.Future[Answer] | None = None
        self._answer: Answer | None = None
        self._came = 0
        """Bytes."""
        self._retry_after: str | None = None
        self._whole = False
        self._timer: asyncio.TimerHandle | None = None
        self._on_lost: Callable[[Exchange], None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether another request can go out on it."""
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes, until: float) -> Answer:
        """Send a request, and wait for the head of its answer `until` the loop's clock says so.

        Raises OSError (TimeoutError among them) and NotHttp while there is no head; what happens behind it
        only ends the body.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("the connection ended before the request")
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter = waiter
        self._answer, self._retry_after, self._came, self._whole = None, None, 0, False
        self._rest()
        self._on_lost = None
        self._timer = self._loop.call_at(until, self._fail, TimeoutError())
        self._transport.write(request)
        try:
            return await waiter
        except asyncio.CancelledError:
            self._whole = False
            raise
        finally:
            self._waiter = None
            # It has the fault, whose traceback has this frame: garbage that would have to be searched for.
            del waiter
            self._rest()
            if not self._whole:
                self._transport.abort()

    def idle(self, seconds: float, on_lost: "Callable[[Exchange], None]") -> None:
        """Close the connection unless there is another request so soon; `on_lost` is told of its end."""
        self._on_lost = on_lost
        self._timer = self._loop.call_later(seconds, self.close)

    def close(self) -> None:
        """At once: a receiver that doesn't answer the end of TLS would be waited for, and heard, for long."""
        self._rest()
        if self._transport is not None:
            self._transport.abort()

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, fault: Exception) -> None:
        """Nothing more is to be had here: the request ends with what came of its answer, or with a fault."""
        self._whole = False
        if self._answer is not None:
            self._end()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(fault)

    def _end(self) -> None:
        """The request ends with what came of its answer."""
        if self._waiter is not None and self._answer is not None and not self._waiter.done():
            self._waiter.set_result(self._answer)

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._parser = HttpResponseParser(self)
        # As aiohttp takes answers: receivers are of all kinds.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True,
            lenient_optional_lf_after_cr=True,
            lenient_optional_cr_before_lf=True,
            lenient_spaces_after_chunk_size=True,
        )

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            # Nobody asked: whatever it is, it must not be taken for the next answer.
            self.close()
            return
        self._came += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._fail(NotHttp("it wants to speak another protocol"))
        except HttpParserError as error:
            self._fail(NotHttp(str(error)))
        else:
            if self._came > _MOST:
                self._fail(NotHttp(f"the head of the answer is longer than {_MOST} bytes"))
            elif self._answer is not None and len(self._answer.body) >= ANSWER_KEPT:
                self._end()
            elif self._answer is not None and not self._waiter.done():
                self._await_body(self._answer.came_at + _ANSWER_PATIENCE)

    def _await_body(self, until: float) -> None:
        if self._timer is not None and self._timer.when() > until:
            self._rest()
            self._timer = self._loop.call_at(until, self._end)

    def connection_lost(self, fault: Exception | None) -> None:
        self._rest()
        self._fail(fault or ConnectionResetError("the connection ended without an answer"))
        if self._on_lost is not None:
            self._on_lost(self)
            self._on_lost = None
        self._waiter = None
        del self._parser

    # What the parser says.

    def on_message_begin(self) -> None:
        # More than was asked for, if there was a whole answer already.
        self._whole = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if len(name) == 11 and name.lower() == b"retry-after":
            self._retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            # It will answer in a moment; only the time it may take bounds how often it says so.
            self._came, self._retry_after = 0, None
            return
        self._answer = Answer(status, self._loop.time(), self._retry_after)

    def on_body(self, body: bytes) -> None:
        if self._answer is not None and (room := ANSWER_KEPT - len(self._answer.body)) > 0:
            self._answer.body += body[:room]

    def on_message_complete(self) -> None:
        if self._answer is not None and self._waiter is not None and not self._waiter.done():
            # An answer that comes before all of the request has gone leaves the rest of it on the way.
            sent = self._transport is not None and self._transport.get_write_buffer_size() == 0
            self._whole = sent and self._parser.should_keep_alive()
            self._end()

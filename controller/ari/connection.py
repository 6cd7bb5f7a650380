"""One WebSocket to one Asterisk: kept open, asked and listened to.

The reader never waits for anybody: answers complete futures, events are handed to a function that must not
block. Requests wait in a queue of ours once enough are in flight: past some 16 Asterisk only gets slower.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, Protocol, TypeAlias

import aiohttp

from controller.ari.errors import (
    AriError,
    ConnectionLost,
    NotConnected,
    NotFound,
    OwnershipLost,
    ProtocolError,
    RequestTimeout,
    ResponseError,
    response_error,
)
from controller.ari.protocol import Message, Parameters, decode_message, encode_request
from controller.time_limit import time_limit

log = logging.getLogger(__name__)

_LARGEST_MESSAGE = 64 * 2**20
"""Bytes. A snapshot of 10,000 channels is some 10 MB."""


_LATE_HANDSHAKES = 30.0
"""Seconds of a connection in which handshakes that were given up before it may come through."""


_ECHO = "ari-client-echo"
"""Event that the client has sent to itself, to see whether events come."""

_HARM = 1.0
"""Seconds, at most, in which handshakes that come through late have done what harm they do."""

_ECHO_COMES = 2.0
"""Seconds, at most, until an event comes from an Asterisk that has just woken up."""


@dataclass(frozen=True)
class Address:
    """Where an Asterisk answers ARI, and as whom to speak to it."""

    url: str
    user: str
    password: str = field(repr=False)
    name: str = ""
    """What logs call it."""


_Socket: TypeAlias = "aiohttp.ClientWebSocketResponse[Literal[False]]"

RetryDecision = Callable[[BaseException, int, Random], float | None]
"""(error, failed attempts before this one, random) -> seconds until the next attempt, or None: give up."""


def retry_unless_refused(error: BaseException, attempt: int, random: Random) -> float | None:
    """Retry everything but a refusal that no waiting mends; 0.1 s doubling to 5 s, with full jitter."""
    if isinstance(error, OwnershipLost):
        return None
    if isinstance(error, aiohttp.WSServerHandshakeError) and error.status in (401, 403):
        return None
    return random.uniform(0.02, min(5.0, 0.1 * 2 ** min(attempt, 10)))


class Permission(Protocol):
    """Whether this program may act: another one may have taken its place."""

    @property
    def certain(self) -> bool: ...

    async def wait_certain(self) -> None: ...


class Connection:
    """The socket and the requests in flight on it."""

    def __init__(
        self,
        address: Address,
        app: str,
        *,
        on_event: Callable[[Message, bytes], None],
        on_connected: Callable[[], Awaitable[None]],
        on_lost: Callable[[], None],
        retry: RetryDecision = retry_unless_refused,
        max_in_flight: int = 16,
        request_timeout: float = 5.0,
        heartbeat: float = 4.0,
        random: Random | None = None,
        permission: Permission | None = None,
    ) -> None:
        """`request_timeout` and `heartbeat` in seconds; a silent socket is dead after 1.5 heartbeats.

        One that answers but brings no events is given up after a heartbeat and two `request_timeout`.
        """
        self.address = address
        self.app = app
        self._on_event = on_event
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._retry = retry
        self._request_timeout = request_timeout
        self._heartbeat = heartbeat
        self._random = random or Random()  # noqa: S311
        self._permission = permission
        self._places = asyncio.Semaphore(max_in_flight)
        self._waiting: dict[object, float] = {}
        """Requests without a place, the oldest first, and since when they wait."""
        self._answers: dict[str, asyncio.Future[Message]] = {}
        self._attempt = 0
        self._serial = 0
        self._http: aiohttp.ClientSession | None = None
        self._socket: _Socket | None = None
        self.peer = ""
        """The IP address at which Asterisk was reached last; "": it is not known."""
        self._echoed = asyncio.Event()
        self._opened_at = 0.0
        self._given_up = 0
        """Handshakes without an answer that Asterisk may still come to; each takes the application."""

    @property
    def connected(self) -> bool:
        """A socket is open; what was asked over it may still be unanswered."""
        return self._socket is not None

    @property
    def in_flight(self) -> int:
        """Requests that were sent and not answered."""
        return len(self._answers)

    async def run(self) -> None:
        """Keep the socket open until cancelled. Raises what `retry` gave up on.

        Whatever goes wrong ends up in `retry`, also what `on_connected` raises: a program that can't get
        ready now may be able to a moment later.
        """
        credentials = {"Authorization": aiohttp.encode_basic_auth(self.address.user, self.address.password)}
        async with aiohttp.ClientSession(self.address.url, headers=credentials) as self._http:
            self._attempt = 0
            while True:
                try:
                    async with self._open(self._http) as socket:
                        await self._serve(socket)
                    raise ConnectionLost("Asterisk closed the socket")
                except Exception as error:
                    delay = self._retry(error, self._attempt, self._random)
                    expected = isinstance(error, aiohttp.ClientError | AriError | OSError)
                    log.warning(
                        "ARI connection lost",
                        exc_info=None if expected else error,
                        extra={
                            "node": self.address.name,
                            "error": str(error),
                            "retry_in": delay and round(delay, 1),
                        },
                    )
                    if delay is None:
                        raise
                self._attempt += 1
                await asyncio.sleep(delay)

    @asynccontextmanager
    async def _open(self, http: aiohttp.ClientSession) -> AsyncIterator[_Socket]:
        try:
            async with asyncio.timeout(self._request_timeout):
                socket: _Socket = await http.ws_connect(
                    "/ari/events",
                    params={"app": self.app, "subscribeAll": "false"},
                    heartbeat=self._heartbeat,
                    max_msg_size=_LARGEST_MESSAGE,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                    decode_text=False,
                )
        except TimeoutError:
            # An Asterisk that hangs still accepts connections and then says nothing.
            self._given_up += 1
            raise ConnectionLost(f"no socket in {self._request_timeout} s") from None
        self._socket = socket
        peer = socket.get_extra_info("peername")
        self.peer = str(peer[0]) if peer else ""
        self._opened_at = asyncio.get_running_loop().time()
        try:
            yield socket
        finally:
            if not self._is_new:
                self._given_up = 0
            self._socket = None
            self._fail_unanswered()
            self._on_lost()
            await socket.close()

    async def _serve(self, socket: _Socket) -> None:
        """Read until the socket closes, while `on_connected` gets its own task; a failure there ends both."""
        welcome = asyncio.ensure_future(self._welcome())
        reading = asyncio.ensure_future(self._read(socket))
        listening = asyncio.ensure_future(self._listen_to_ourselves())
        try:
            running = {welcome, reading, listening}
            while not reading.done():
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in (welcome, reading, listening):
                task.cancel()
            await asyncio.gather(welcome, reading, listening, return_exceptions=True)

    async def _listen_to_ourselves(self) -> None:
        """Now and then have Asterisk send us an event. Raises ConnectionLost when it doesn't come.

        The end of an older connection can take the application out of service for the newer one, which then
        answers as before and brings no events.
        """
        while True:
            await asyncio.sleep(self._heartbeat)
            try:
                await self._echo(2 * self._request_timeout)
            except (RequestTimeout, ResponseError):
                # It has much to do, or other trouble; the heartbeat tells whether it lives.
                continue

    async def _echo(self, within: float) -> None:
        """Have Asterisk send us an event. Raises ConnectionLost when it doesn't come in so many seconds."""
        self._echoed.clear()
        try:
            await self.request("events.user", "POST", f"events/user/{_ECHO}", {"application": self.app})
            async with asyncio.timeout(within):
                await self._echoed.wait()
        except TimeoutError:
            raise ConnectionLost("no events come") from None
        except NotFound as error:
            raise ConnectionLost(f"no events come: {error}") from error

    async def _welcome(self) -> None:
        if self._given_up:
            await self._outlive_late_handshakes()
        await self._on_connected()
        # Only now: an Asterisk that takes connections and drops them is not approached ever faster.
        self._attempt = 0

    async def _outlive_late_handshakes(self) -> None:
        """Wait until they can do no more harm: of a call that is made before nobody may hear.

        Raises ConnectionLost, RequestTimeout or a ResponseError.
        """
        loop = asyncio.get_running_loop()
        harm = min(_HARM, self._request_timeout)
        until = loop.time() + harm
        while loop.time() < until:
            await asyncio.sleep(harm / 4)
            await self._echo(min(_ECHO_COMES, self._request_timeout))

    async def _read(self, socket: _Socket) -> None:
        async for frame in socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            try:
                message = decode_message(frame.data)
                if message.is_response:
                    self._answer(message)
                elif message.type == "ApplicationReplaced":
                    raise self._replaced()
                elif message.type == "ChannelUserevent" and message.eventname == _ECHO:
                    self._echoed.set()
                else:
                    self._on_event(message, frame.data)
            except ProtocolError as error:
                log.warning("ARI message ignored", extra={"node": self.address.name, "error": str(error)})

    @property
    def _is_new(self) -> bool:
        return asyncio.get_running_loop().time() - self._opened_at < _LATE_HANDSHAKES

    def _replaced(self) -> AriError:
        """Why another connection has the application: somebody's, or one of ours that came through late.

        An Asterisk that was stopped does all that it was asked meanwhile, in any order.
        """
        if self._is_new and self._given_up:
            self._given_up -= 1
            return ConnectionLost("an earlier handshake came through late")
        return OwnershipLost(f"another connection took over the application {self.app}")

    def _answer(self, message: Message) -> None:
        waiting = self._answers.get(message.request_id)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def _fail_unanswered(self) -> None:
        for waiting in self._answers.values():
            if not waiting.done():
                waiting.set_exception(ConnectionLost("the socket closed before the answer"))

    async def reconnect(self) -> None:
        """Close the socket; `run` makes a new one at once."""
        if self._socket is not None:
            await self._socket.close()

    async def request(
        self,
        operation: str,
        method: str,
        uri: str,
        parameters: Parameters | None = None,
        body: dict[str, Any] | None = None,
    ) -> str:
        """Do one REST request over the socket and return the body of the answer.

        A request that waits for its turn when the socket is lost is not sent over the next one: whoever
        made it knows nothing of the gap. Raises NotConnected, ConnectionLost, RequestTimeout or a
        ResponseError.
        """
        socket = self._socket
        await self._turn()
        try:
            # Now, not before: a program that was paused meanwhile has what it waited for when it comes back.
            if self._permission is not None and not self._permission.certain:
                await self._permission.wait_certain()
            if socket is None or socket.closed or socket is not self._socket:
                raise NotConnected(f"{operation}: no connection to Asterisk")
            self._serial += 1
            request_id = str(self._serial)
            answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
            self._answers[request_id] = answer
            try:
                async with time_limit(self._request_timeout):
                    await socket.send_frame(
                        encode_request(request_id, method, uri, parameters or {}, body),
                        aiohttp.WSMsgType.TEXT,
                    )
                    message = await answer
            except TimeoutError:
                raise RequestTimeout(f"{operation}: no answer in {self._request_timeout} s") from None
            except (aiohttp.ClientError, OSError) as error:
                raise ConnectionLost(f"{operation}: {error}") from error
            finally:
                del self._answers[request_id]
                # It may have failed while the request was still being sent; nobody asks then.
                if answer.done() and not answer.cancelled():
                    answer.exception()
        finally:
            self._places.release()
        if message.status_code >= 400:
            raise response_error(
                operation, message.status_code, message.message_body or message.reason_phrase
            )
        return message.message_body

    async def take(self, app: str) -> None:
        """Take an application from whoever has it, who loses it for good, and let go of it.

        Raises NotConnected or ConnectionLost.
        """
        if self._http is None or self._http.closed:
            raise NotConnected(f"{app}: no connection to Asterisk")
        try:
            async with (
                asyncio.timeout(self._request_timeout),
                self._http.ws_connect("/ari/events", params={"app": app, "subscribeAll": "false"}),
            ):
                pass
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLost(f"{app}: {error}") from error

    async def _turn(self) -> None:
        """Take a place among the requests in flight."""
        waiting = object()
        self._waiting[waiting] = asyncio.get_running_loop().time()
        try:
            await self._places.acquire()
        finally:
            del self._waiting[waiting]

    @property
    def longest_wait(self) -> float:
        """Seconds for which the request has waited that has waited for its turn the longest."""
        since = next(iter(self._waiting.values()), None)
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    async def download(self, operation: str, uri: str, silence: float) -> AsyncIterator[bytes]:
        """A binary body, in pieces, over HTTP: the socket carries none. Raises like `request`.

        However long it takes: `silence` are the seconds without a byte after which the connection is lost.
        """
        if self._http is None or self._http.closed:
            raise NotConnected(f"{operation}: no connection to Asterisk")
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._request_timeout, sock_read=silence)
        try:
            async with self._http.get(f"/ari/{uri}", timeout=limits) as answer:
                if answer.status >= 400:
                    raise response_error(operation, answer.status, await answer.text())
                async for piece in answer.content.iter_chunked(65536):
                    yield piece
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionLost(f"{operation}: {error}") from error

"""The client: a connection, the resources, the listeners, and what happens after a gap."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from random import Random
from types import TracebackType
from typing import Any, Self

from controller.ari.connection import (
    Address,
    Connection,
    Permission,
    RetryDecision,
    retry_unless_refused,
)
from controller.ari.errors import NotConnected, NotFound, ProtocolError
from controller.ari.events import ObjectGone, ObjectPresent
from controller.ari.models import Snapshot
from controller.ari.protocol import Message, decode_event
from controller.ari.resources import (
    Applications,
    Asterisk,
    Bridges,
    Channels,
    Endpoints,
    Playbacks,
    Recordings,
)
from controller.ari.streams import EventStream, Router

log = logging.getLogger(__name__)

OnReady = Callable[[Snapshot], Awaitable[None]]


async def _nothing_to_do(_snapshot: Snapshot) -> None:
    return


class Client:
    """An Asterisk as this program sees it.

    `on_ready` is called with a snapshot each time the connection was made or regained, after the listeners
    were told what became of their objects and before `ready` becomes true. Nothing may create channels
    while `ready` is false: without a socket Asterisk answers 200 and the call is lost.
    """

    def __init__(
        self,
        address: Address,
        app: str,
        *,
        on_ready: OnReady = _nothing_to_do,
        unwanted_events: Iterable[str] = (),
        retry: RetryDecision = retry_unless_refused,
        max_in_flight: int = 16,
        request_timeout: float = 5.0,
        heartbeat: float = 4.0,
        random: Random | None = None,
        permission: Permission | None = None,
    ) -> None:
        self.app = app
        self._on_ready = on_ready
        self._unwanted_events = list(unwanted_events)
        self._router = Router()
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()
        self._running: asyncio.Task[None] | None = None
        self._connection = Connection(
            address,
            app,
            on_event=self._dispatch,
            on_connected=self._welcome,
            on_lost=self._not_ready,
            retry=retry,
            max_in_flight=max_in_flight,
            request_timeout=request_timeout,
            heartbeat=heartbeat,
            random=random,
            permission=permission,
        )
        self.channels = Channels(self._connection)
        self.bridges = Bridges(self._connection)
        self.playbacks = Playbacks(self._connection)
        self.recordings = Recordings(self._connection)
        self.endpoints = Endpoints(self._connection)
        self.asterisk = Asterisk(self._connection)
        self.applications = Applications(self._connection)

    @property
    def connected(self) -> bool:
        """The socket is open; what comes before `ready` may not be done."""
        return self._connection.connected

    @property
    def in_flight(self) -> int:
        """Requests that were sent and not answered."""
        return self._connection.in_flight

    @property
    def peer(self) -> str:
        """The IP address at which Asterisk was reached last; "": it is not known."""
        return self._connection.peer

    @property
    def longest_wait(self) -> float:
        """Seconds for which the request has waited that has waited for its turn the longest."""
        return self._connection.longest_wait

    @property
    def ready(self) -> bool:
        """The socket is open and everything was brought up to date after the last gap."""
        return self._ready.is_set()

    async def wait_ready(self) -> None:
        """Wait until `ready`. Raises what ended the connection for good; NotConnected if it was closed."""
        if self._running is None:
            raise RuntimeError("the client was not started")
        waiting = asyncio.ensure_future(self._ready.wait())
        try:
            await asyncio.wait({waiting, self._running}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if waiting.done() and not waiting.cancelled():
            return
        if self._running.cancelled():
            raise NotConnected("the client was closed")
        self._running.result()

    async def wait_ended(self) -> None:
        """Wait until the connection is given up for good. Raises the reason."""
        if self._running is None:
            raise RuntimeError("the client was not started")
        await asyncio.wait({self._running})
        if not self._running.cancelled():
            self._running.result()

    async def wait_lost(self) -> None:
        """Wait until not `ready`."""
        await self._lost.wait()

    def tell_all_gone(self) -> None:
        """Tell every listener that its object is gone: for a caller who gives Asterisk up."""
        for key in self._router.addresses():
            self._router.tell(key, ObjectGone(type="ObjectGone", key=key))

    def listen(self, *keys: str) -> EventStream:
        """A stream of the events of the objects named, such as `channel:ID`; close it when done."""
        return EventStream(self._router, keys)

    @property
    def listened_to(self) -> list[str]:
        """The objects that somebody listens to now."""
        return self._router.addresses()

    async def run(self) -> None:
        """Be connected until cancelled. Raises what the retry decision gave up on, such as OwnershipLost."""
        await self._connection.run()

    async def reconnect(self) -> None:
        """Make a new connection, with all that belongs to it: snapshot, news for the listeners."""
        await self._connection.reconnect()

    async def snapshot(self) -> Snapshot:
        """All that Asterisk has now."""
        info, channels, bridges = await asyncio.gather(
            self.asterisk.info(), self.channels.list(), self.bridges.list()
        )
        return Snapshot(
            info.startup_time,
            {channel.id: channel for channel in channels},
            {bridge.id: bridge for bridge in bridges},
            info.entity_id,
        )

    def _dispatch(self, message: Message, raw: bytes) -> None:
        streams = self._router.streams(message.keys())
        if not streams:
            return
        try:
            event = decode_event(raw, message.type)
        except ProtocolError as error:
            log.warning(
                "ARI event ignored", extra={"node": self._connection.address.name, "error": str(error)}
            )
            return
        for stream in streams:
            stream.put(event)

    async def _welcome(self) -> None:
        if self._unwanted_events:
            await self.applications.filter_events(disallowed=self._unwanted_events)
        snapshot = await self.snapshot()
        for key in self._router.addresses():
            await self._tell_what_became_of(key, snapshot)
        await self._on_ready(snapshot)
        self._lost.clear()
        self._ready.set()

    def _not_ready(self) -> None:
        self._ready.clear()
        self._lost.set()

    async def _tell_what_became_of(self, key: str, snapshot: Snapshot) -> None:
        kind, _, identity = key.partition(":")
        channel = snapshot.channels.get(identity) if kind == "channel" else None
        present = channel is not None
        if kind == "bridge":
            present = identity in snapshot.bridges
        elif kind in ("playback", "recording"):
            look_up: Callable[[str], Awaitable[Any]] = (
                self.playbacks.get if kind == "playback" else self.recordings.get_live
            )
            with contextlib.suppress(NotFound):
                await look_up(identity)
                present = True
        if present:
            self._router.tell(key, ObjectPresent(type="ObjectPresent", key=key, channel=channel))
        else:
            self._router.tell(key, ObjectGone(type="ObjectGone", key=key))

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.run(), name=f"ari {self.app}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._running

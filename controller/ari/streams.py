"""Event streams: what a listener reads. Filling one never waits; a listener that doesn't read overflows."""

import asyncio
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from controller.ari.errors import ListenerOverflow
from controller.ari.events import Event

DEFAULT_CAPACITY = 1000
"""Events that a listener may be behind: some 70 simple calls' worth."""


class EventStream:
    """The events of one or several objects, in the order in which Asterisk sent them.

    When `capacity` unread events have gathered, the stream drops all of them and the next read raises
    ListenerOverflow: a listener that has missed events must know it.
    """

    def __init__(self, router: "Router", keys: Iterable[str], capacity: int = DEFAULT_CAPACITY) -> None:
        self._router = router
        self._keys: set[str] = set()
        self._waiting: deque[Event] = deque()
        self._capacity = capacity
        self._overflowed = False
        self._reader: asyncio.Future[None] | None = None
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        """Listen to one more object, such as `channel:ID`."""
        self._keys.add(key)
        self._router.add(key, self)

    def put(self, event: Event) -> None:
        """Hand an event to the listener; never waits."""
        if len(self._waiting) >= self._capacity:
            self._overflowed = True
            self._waiting.clear()
        self._waiting.append(event)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def get(self) -> Event:
        """The next event, waited for. One reader at a time. Raises ListenerOverflow."""
        while not self._waiting:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if self._overflowed:
            self._overflowed = False
            raise ListenerOverflow("events were lost because they were not read")
        return self._waiting.popleft()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return await self.get()

    def close(self) -> None:
        """Stop listening."""
        for key in self._keys:
            self._router.remove(key, self)
        self._keys.clear()
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Router:
    """Which streams listen to which objects."""

    def __init__(self) -> None:
        self._streams: dict[str, list[EventStream]] = {}

    def add(self, key: str, stream: EventStream) -> None:
        streams = self._streams.setdefault(key, [])
        if stream not in streams:
            streams.append(stream)

    def remove(self, key: str, stream: EventStream) -> None:
        streams = self._streams.get(key, [])
        if stream in streams:
            streams.remove(stream)
        if not streams:
            self._streams.pop(key, None)

    def addresses(self) -> list[str]:
        """All objects that somebody listens to."""
        return list(self._streams)

    def streams(self, keys: Iterable[str]) -> list[EventStream]:
        """The streams that want an event about these objects, each once."""
        found: list[EventStream] = []
        for key in keys:
            for stream in self._streams.get(key, ()):
                if stream not in found:
                    found.append(stream)
        return found

    def tell(self, key: str, event: Event) -> None:
        """Hand an event to every listener of one object."""
        for stream in self._streams.get(key, ()):
            stream.put(event)

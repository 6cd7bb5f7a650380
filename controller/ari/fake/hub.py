"""Who listens to a fake Asterisk, what is told to whom, and what has happened so far."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

from controller.ari.fake.faults import Faults
from controller.ari.fake.objects import Json
from controller.ari.fake.rest import FakeApplication, Request
from controller.ari.fake.sockets import FakeSocket
from controller.ari.fake.switch import timestamp

_T = TypeVar("_T")

_HISTORY = 10_000


class Hub:
    """Sockets, applications and history. `has_channels` says whether an application has any."""

    def __init__(
        self, faults: Faults, now: Callable[[], datetime], has_channels: Callable[[str], bool]
    ) -> None:
        self.sockets: list[FakeSocket] = []
        self.listening: dict[str, FakeSocket] = {}
        self.applications: dict[str, FakeApplication] = {}
        self.requests: deque[Request] = deque(maxlen=_HISTORY)
        self.events: deque[Json] = deque(maxlen=_HISTORY)
        self._faults = faults
        self._now = now
        self._has_channels = has_channels
        self._waiters: list[asyncio.Future[None]] = []

    def publish(self, applications: Iterable[str], kind: str, fields: Json) -> None:
        """An event happens; whoever is not connected or doesn't want its type never hears of it."""
        for name in applications:
            event = {
                "type": kind,
                "timestamp": timestamp(self._now()),
                **fields,
                "asterisk_id": "fake",
                "application": name,
            }
            self.events.append(event)
            application, socket = self.applications.get(name), self.listening.get(name)
            if application is None or socket is None or not application.wants(kind):
                continue
            for text in self._faults.texts(event):
                socket.send(text)
        self.changed()

    def attach(self, socket: FakeSocket) -> None:
        """A socket takes over its applications."""
        self.sockets.append(socket)
        for name in socket.applications:
            previous = self.listening.get(name)
            if previous is not None:
                replaced = {"type": "ApplicationReplaced", "application": name, "asterisk_id": "fake"}
                previous.send(json.dumps(replaced))
            self.applications.setdefault(name, FakeApplication(name))
            self.listening[name] = socket
        self.changed()

    def detach(self, socket: FakeSocket) -> None:
        """A socket is gone. An application without channels is forgotten then, its event filter with it."""
        if socket not in self.sockets:
            return
        self.sockets.remove(socket)
        socket.close()
        for name in socket.applications:
            if self.listening.get(name) is socket:
                del self.listening[name]
                if not self._has_channels(name):
                    self.applications.pop(name, None)
        self.changed()

    def drop_sockets(self) -> None:
        """Cut every connection."""
        for socket in list(self.sockets):
            self.detach(socket)
            socket.abort()

    def changed(self) -> None:
        """Something has happened: whoever waits looks again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, condition: Callable[[], _T | None], limit: float) -> _T:
        """Wait until `condition` returns something true. Raises TimeoutError with what has happened."""
        try:
            async with asyncio.timeout(limit):
                while not (found := condition()):
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            asked = [request.operation for request in self.requests]
            told = [event["type"] for event in self.events]
            raise TimeoutError(f"not in {limit} s; asked: {asked}; told: {told}") from None
        return found

    def request(self, operation: str, count: int) -> Request | None:
        """The `count`th request of this operation, if it has come."""
        found = [request for request in self.requests if request.operation == operation]
        return found[count - 1] if len(found) >= count else None

    def event(self, kind: str, count: int, fields: dict[str, Any]) -> Json | None:
        """The `count`th event of this type with these fields, if there was one."""
        found = [
            event
            for event in self.events
            if event["type"] == kind and all(event.get(name) == fields[name] for name in fields)
        ]
        return found[count - 1] if len(found) >= count else None

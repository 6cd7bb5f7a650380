"""A small house for tests of recordings: the fake Asterisk, a database that tells of writes, a keeper."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from engine import copy_database, database_at
from sqlmodel import Session
from unit.calls.support import ACCOUNT, APP, make_node
from unit.support import soon

from controller.ari.fake import FakeAsterisk
from controller.asterisk.node import Node
from controller.recordings.files import recording_path
from controller.recordings.keeper import RecordingKeeper
from controller.store.database import Database, Work
from controller.store.recordings import RecordingState
from controller.store.tables import Call, Recording, Service

T = TypeVar("T")

STARTED = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
KEEP = timedelta(days=7)
NUMBER = "+8613900001111"
SOUND = bytes(range(256)) * 125
"""4 s of A-law, in which no two neighbouring bytes are the same."""


class SetClock:
    """Stands still until it is moved."""

    def __init__(self, now: datetime = STARTED + timedelta(minutes=1)) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


class WatchedDatabase(Database):
    """Tells when something was written."""

    def __init__(self, url: str) -> None:
        super().__init__(url, synchronous="OFF")
        self.written = asyncio.Event()

    async def write(self, work: Work[T], *, patience: float = 0.0) -> T:
        result = await super().write(work, patience=patience)
        self.written.set()
        return result


@dataclass
class Room:
    """Everything that a recording needs."""

    asterisk: FakeAsterisk
    database: WatchedDatabase
    node: Node
    clock: SetClock
    directory: Path

    async def add(
        self,
        call_id: str = "call-1",
        state: str = RecordingState.PENDING,
        *,
        sound: bytes | None = SOUND,
        **changes: Any,
    ) -> str:
        """The row that the end of a call leaves, and what Asterisk has recorded; returns the call's id."""
        values = {
            "call_id": call_id,
            "account_id": ACCOUNT,
            "name": f"{call_id}.wav",
            "node": self.node.name,
            "state": state,
            "started_at": STARTED,
            **changes,
        }

        def insert(session: Session) -> None:
            session.add(made_call(call_id))
            session.flush()
            session.add(Recording(**values))

        if sound is not None:
            self.asterisk.stored_recordings[call_id] = ("alaw", sound)
        await self.database.write(insert)
        return call_id

    async def add_kept(self, call_id: str = "call-1", content: bytes = b"RIFF", **changes: Any) -> Path:
        """A recording that is a file already; returns its path."""
        values = {"sound": None, "purge_at": STARTED + KEEP, "state": RecordingState.STORED, **changes}
        await self.add(call_id, **values)
        path = self.path(call_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def path(self, call_id: str) -> Path:
        return recording_path(self.directory, call_id, STARTED)

    async def row(self, call_id: str = "call-1") -> Recording:
        def read(session: Session) -> Recording:
            found = session.get_one(Recording, call_id)
            session.expunge(found)
            return found

        return await self.database.read(read)

    async def until(self, state: RecordingState, call_id: str = "call-1") -> Recording:
        """Wait until a recording has come so far."""
        return await self.until_it(lambda row: row.state == state, call_id)

    async def until_it(self, holds: Callable[[Recording], bool], call_id: str = "call-1") -> Recording:
        """Wait until something holds for a recording."""

        async def reached() -> Recording:
            while True:
                # Before the look: what is written after it is news.
                self.database.written.clear()
                row = await self.row(call_id)
                if holds(row):
                    return row
                await self.database.written.wait()

        return await soon(reached())

    def asked(self, operation: str) -> list[str]:
        """What this operation was asked for, in order."""
        return [request.uri for request in self.asterisk.requests if request.operation == operation]

    def files(self) -> list[str]:
        """All files, whole or not."""
        found = (path for path in self.directory.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.directory)) for path in found)

    def keeper(self, **changes: Any) -> RecordingKeeper:
        values = {"retry": lambda _attempt: 0.01, **changes}
        return RecordingKeeper(
            self.database, self.node, self.clock, self.directory, KEEP, "controller1", **values
        )

    @asynccontextmanager
    async def keeping(self, **changes: Any) -> AsyncIterator[RecordingKeeper]:
        """A keeper at work."""
        keeper = self.keeper(**changes)
        task = asyncio.create_task(keeper.run())
        try:
            yield keeper
        finally:
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()


def made_call(call_id: str) -> Call:
    return Call(
        id=call_id,
        session_id=call_id,
        account_id=ACCOUNT,
        app_key=APP,
        service=Service.CALLBACK,
        controller="controller1.test",
        node="node1",
        display_number="+8657126880001",
        callee=NUMBER,
        accepted_at=STARTED,
    )


@asynccontextmanager
async def made_room(asterisk: FakeAsterisk, template: Path, directory: Path) -> AsyncIterator[Room]:
    """A room whose node is not started yet."""
    path = directory / "test.db"
    copy_database(template, path)
    async with WatchedDatabase(database_at(path)) as database:
        node = make_node(asterisk, directory)
        yield Room(asterisk, database, node, SetClock(), directory / "recordings")

"""What several unit tests need."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest

from controller.store.database import Database

T = TypeVar("T")


async def soon(waiting: Awaitable[T], limit: float = 5.0) -> T:
    """Await something that must not take long, so that a test that hangs tells where."""
    async with asyncio.timeout(limit):
        return await waiting


def lose_commit_answers(database: Database, monkeypatch: pytest.MonkeyPatch, times: int) -> list[None]:
    """The next commits are done, and look as if they had failed; returns those that are left."""
    dialect, left = database._engine.dialect, [None] * times
    commit = dialect.do_commit

    def done_and_lost(connection: Any) -> None:
        commit(connection)
        if left:
            left.pop()
            raise OSError("connection lost")

    monkeypatch.setattr(dialect, "do_commit", done_and_lost)
    return left


class LateReads:
    """What is read from a database is handed over when it may be: older by then than what is written."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.read = asyncio.Event()
        self.gate = asyncio.Event()
        self._database_read = database.read
        monkeypatch.setattr(database, "read", self._read)

    async def _read(self, work: Callable[[Any], Any]) -> Any:
        found = await self._database_read(work)
        self.read.set()
        await self.gate.wait()
        return found

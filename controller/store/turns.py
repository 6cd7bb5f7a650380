"""Turns at what only one of several controllers may do at a time, outside of the database.

A turn is an advisory lock of PostgreSQL in a transaction that does nothing else. The server ends a
transaction in which nothing was said for 4 s (`idle_in_transaction_session_timeout`): a controller that is
paused, or whose machine is gone, keeps the turn from nobody. So whoever has it asks, before each step,
whether it still does.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Final

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from controller.store.errors import Fenced, TurnLost

Fence = Callable[[Session], None]

StillOurs = Callable[[], Awaitable[None]]
"""To be awaited before each step; raises TurnLost."""

Turn = Callable[[str], AbstractAsyncContextManager[StillOurs]]
"""Takes the name of what one controller at a time may do. Raises TurnLost when it is another's."""

_TURNS: Final = 0x766F6964
"""The first of the two keys of these locks."""


def alone(_name: str) -> AbstractAsyncContextManager[StillOurs]:
    """The turn of a controller that has no others."""
    return nullcontext(_go_on)


async def _go_on() -> None:
    pass


@asynccontextmanager
async def held_turn(engine: Engine, name: str, fence: Fence | None) -> AsyncIterator[StillOurs]:
    """Have the turn called `name` until the end of the block; waits 5 s for it. Raises TurnLost.

    `fence` raises Fenced if another controller has taken over.
    """
    loop, lock = asyncio.get_running_loop(), _Lock(engine, name, fence)
    # One thread: what is given back is so after what is under way, also for one who is cancelled meanwhile.
    thread = ThreadPoolExecutor(1, thread_name_prefix="turn")
    try:
        await loop.run_in_executor(thread, lock.take)
        yield lambda: loop.run_in_executor(thread, lock.check)
    finally:
        try:
            # Shielded, so that being cancelled again does not take it back while it waits for its turn.
            await asyncio.shield(loop.run_in_executor(thread, lock.give_back))
        finally:
            thread.shutdown(wait=False)


class _Lock:
    """Belongs to a thread."""

    def __init__(self, engine: Engine, name: str, fence: Fence | None) -> None:
        self._engine = engine
        self._name = name
        self._fence = fence
        self._connection: Connection | None = None

    def take(self) -> None:
        try:
            self._connection = self._engine.connect()
            self._connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            self._connection.execute(
                text("SELECT pg_advisory_xact_lock(:turns, hashtext(:name))"),
                {"turns": _TURNS, "name": self._name},
            )
        except SQLAlchemyError as error:
            raise TurnLost(f"{self._name}: another controller is at it, or the database is away") from error
        self.check()

    def check(self) -> None:
        assert self._connection is not None
        try:
            self._connection.execute(text("SELECT 1"))
            if self._fence is not None:
                with Session(self._connection) as session:
                    self._fence(session)
        except (SQLAlchemyError, Fenced) as error:
            raise TurnLost(f"{self._name}: another controller may be at it by now") from error

    def give_back(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(SQLAlchemyError):
                self._connection.close()

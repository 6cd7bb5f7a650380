"""The database behind a port of two verbs, `read` and `write`: SQLite or PostgreSQL.

Work is a function of a session; it runs in a thread, so that the event loop never waits for a disk. Small
writes that meet are committed together (group commit): one fsync then serves many calls, and a write that
has a little patience goes with the next one that has none. All writes go through one thread and one
connection, which are kept: setting both up costs more than a small write. A simulated loop needs nothing but
its own `run_in_executor`.

On both engines one transaction writes at a time, whoever begins it: SQLite has no other way, and on
PostgreSQL all who write take turns at a lock. What a transaction reads is therefore still true when it
writes, also with several controllers: no limit is exceeded, nothing is posted twice, and records are numbered
in the order in which they can be seen.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from threading import Condition
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from sqlalchemy import Connection
from sqlmodel import Session

from controller.settings import Settings
from controller.store.engines import make_engine
from controller.store.errors import DatabaseClosed
from controller.store.prepared import group_of_statements
from controller.store.sealing import Seal, seal_of
from controller.store.turns import StillOurs, alone, held_turn

T = TypeVar("T")
Work = Callable[[Session], T]

log = logging.getLogger(__name__)

_SPACING: Final = 0.012
"""Seconds from the beginning of one group of writes to that of the next: under load groups get larger,
not more. Where there is little to write nothing waits."""

_MANY_WRITES, _WIDE_SPACING = 300, 0.03
"""With so many writes a second, those of some 70 callbacks, groups begin so many seconds apart: what a group
costs by itself is then more than what its rows do. Below it nobody's call waits so long."""

_READS_AT_ONCE: Final = 16
"""Those of people who search among millions of calls take seconds; what calls need goes beside them."""


@dataclass(eq=False)
class _Job:
    work: Work[Any]
    done: asyncio.Future[Any]
    at: float
    """On the loop's clock."""


class _InDoubtError(Exception):
    """The commit failed, for this cause: the group may be written or not."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class _Pace:
    """When the next group of writes may begin, on the loop's clock."""

    def __init__(self) -> None:
        self.next_at = 0.0
        self._began = 0.0
        self._recent = 0.0
        """Writes in about the last second."""

    def begin(self, now: float, writes: int) -> None:
        """A group of writes begins."""
        self._recent = self._recent * math.exp(self._began - now) + writes
        self._began = now
        self.next_at = now + (_WIDE_SPACING if self._recent > _MANY_WRITES else _SPACING)


class Database:
    """Reads and group-committed writes. Raises DatabaseUnusable when the address is no database's."""

    def __init__(self, url: str, *, synchronous: str = "FULL", seal: Seal | None = None) -> None:
        self._engine = make_engine(url, synchronous=synchronous, seal=seal)
        self._jobs: list[_Job] = []
        self._under_way: list[_Job] = []
        self._due = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._writer: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        # Not the loop's own threads: files on a network that hangs, on which those wait, are no reason why
        # nobody should see that a controller is gone, or push a CDR.
        self._reading = ThreadPoolExecutor(_READS_AT_ONCE, thread_name_prefix="reads")
        self._connection: Connection | None = None
        """Belongs to the thread."""
        self.fence: Callable[[Session], None] | None = None
        """Begins every transaction that writes; raises Fenced if nothing may be written any more."""
        self._readers = Condition()
        self._reads = 0
        self._is_closed = False

    @property
    def shared(self) -> bool:
        """Whether several controllers may use it."""
        return self._engine.dialect.name == "postgresql"

    @property
    def waiting(self) -> int:
        """Writes that were handed over and not begun."""
        return len(self._jobs)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The database that the settings name, with their key. Raises DatabaseUnusable."""
        seal = seal_of(settings.database.secret_key.get_secret_value(), settings.secret_key_file)
        return cls(settings.database_url, synchronous=settings.database.synchronous, seal=seal)

    @property
    def longest_wait(self) -> float:
        """Seconds for which the write has waited that has waited the longest, those under way among them."""
        since = [job.at for job in (*self._under_way[:1], *self._jobs[:1])]
        return asyncio.get_running_loop().time() - min(since) if since else 0.0

    async def read(self, work: Work[T]) -> T:
        """Run `work` in a transaction of its own that sees what was committed. Raises DatabaseClosed."""
        if self._is_closed:
            raise DatabaseClosed("the database was closed")
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    async def write(self, work: Work[T], *, patience: float = 0.0) -> T:
        """Run `work` and return its result once it is committed; if it raises, nothing of it stays.

        `patience` is how many seconds it may wait for others to be committed with. `work` may be run a
        second time when something else in its group failed, so it must have no effect but on the session.
        If the commit itself fails, as when the connection breaks before its answer has come, that is raised
        and `work` may be done all the same. Raises DatabaseClosed.
        """
        if self._writer is None:
            raise DatabaseClosed("the database is not open")
        # Once handed over the work will be done, also when the one who asked is cancelled.
        return await asyncio.shield(self._hand_over(work, patience))

    def turn(self, name: str) -> AbstractAsyncContextManager[StillOurs]:
        """The turn at what one controller at a time may do; alone it is always there. Raises TurnLost."""
        return held_turn(self._engine, name, self.fence) if self.shared else alone(name)

    def _hand_over(self, work: Work[T], patience: float) -> "asyncio.Future[T]":
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future(), loop.time())
        self._jobs.append(job)
        if patience <= 0:
            self._due.set()
        elif self._alarm is None or loop.time() + patience < self._alarm.when():
            self._set_alarm(patience)
        return job.done

    def _set_alarm(self, seconds: float | None) -> None:
        """When what waits is committed at the latest; None: nothing waits."""
        if self._alarm is not None:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = None if seconds is None else loop.call_later(seconds, self._due.set)

    def _read(self, work: Work[T]) -> T:
        with self._readers:
            self._reads += 1
        try:
            with (
                self._engine.connect().execution_options(reads=True) as connection,
                Session(connection) as session,
            ):
                return work(session)
        finally:
            with self._readers:
                self._reads -= 1
                self._readers.notify_all()
                if self._is_closed and not self._reads:
                    # Nobody waited for it any more, and its thread began as the database was closed.
                    self._engine.dispose()

    def _close_after_reads(self) -> None:
        with self._readers:
            self._readers.wait_for(lambda: self._reads == 0)
            self._is_closed = True
            self._engine.dispose()

    async def _write_groups(self) -> None:
        loop, pace = asyncio.get_running_loop(), _Pace()
        while True:
            await self._due.wait()
            if (pause := pace.next_at - loop.time()) > 0:
                await asyncio.sleep(pause)
            pace.begin(loop.time(), len(self._jobs))
            self._due.clear()
            self._set_alarm(None)
            group, self._jobs = self._jobs, []
            if group:
                self._under_way = group
                await self._write_group(group)
                self._under_way = []

    async def _write_group(self, group: list[_Job]) -> None:
        try:
            loop = asyncio.get_running_loop()
            results = await loop.run_in_executor(self._thread, self._commit, [job.work for job in group])
        except _InDoubtError as error:
            # Nothing is run again: what is written already would be refused, as if somebody else had done it.
            for job in group:
                _fail(job, error.cause)
            return
        except Exception as error:
            if len(group) == 1:
                _fail(group[0], error)
                return
            # Find the one that failed: each gets a transaction of its own.
            for job in group:
                await self._write_group([job])
            return
        for job, result in zip(group, results, strict=True):
            if not job.done.done():
                job.done.set_result(result)

    def _commit(self, group: list[Work[Any]]) -> list[Any]:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(writes=True)
        all_done = False
        try:
            with self._connection.begin(), Session(self._connection) as session:
                if self.fence is not None:
                    self.fence(session)
                with group_of_statements(self._connection):
                    results = [work(session) for work in group]
                    session.flush()
                all_done = True
        except BaseException as error:
            # Whether it is still good is found out by the next one, with a new one if need be.
            self._disconnect()
            if all_done and isinstance(error, Exception):
                raise _InDoubtError(error) from error
            raise
        return results

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write_groups(), name="database writer")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Commit what is waiting, then close."""
        if self._writer is not None:
            # The last in the order of writes: once it is done, or failed, so is everything before it.
            with contextlib.suppress(Exception):
                await self.write(lambda _session: None)
            self._writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writer
            self._writer = None
            # Handed over while it was closing; nobody is to wait for them.
            for job in (*self._under_way, *self._jobs):
                _fail(job, DatabaseClosed("the database was closed"))
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        # Also those that nobody waits for any more have a connection.
        await asyncio.to_thread(self._close_after_reads)
        self._reading.shutdown(wait=False)
        self._thread.shutdown(wait=False)


def _fail(job: _Job, error: BaseException) -> None:
    if not job.done.done():
        job.done.set_exception(error)

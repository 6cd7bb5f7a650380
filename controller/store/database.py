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
import errno
import logging
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlmodel import Session

from controller.settings import Settings
from controller.store.errors import DatabaseClosed, DatabaseUnusable
from controller.store.sealing import Seal, put_seal, seal_of
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

WRITERS_TURN: Final = 0x766F6963
"""The advisory lock of PostgreSQL that a writing transaction holds to its end."""

_SERVER_OPTIONS: Final = {
    "timezone": "UTC",
    # A process that was paused in the middle of a transaction must not keep the turn from the others.
    "idle_in_transaction_session_timeout": "4s",
    "lock_timeout": "30s",
}
_NOTICED: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server whose machine is gone says nothing: connections to it end after some 10 s, not an hour."""


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
        """Run `work` in a transaction of its own that sees what was committed."""
        return await asyncio.to_thread(self._read, work)

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
        self._thread.shutdown(wait=False)


def _fail(job: _Job, error: BaseException) -> None:
    if not job.done.done():
        job.done.set_exception(error)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def make_engine(url: str, *, synchronous: str = "FULL", seal: Seal | None = None) -> Engine:
    """An engine for SQLite (WAL, real transactions) or PostgreSQL.

    Connections with the option `writes` wait for their turn when they begin; those with `reads` see one
    state of the database from their first to their last statement.

    The values of a statement are never part of an error's message: they are numbers, digits and secrets.
    Raises DatabaseUnusable.
    """
    address = _address(url)
    match address.get_backend_name():
        case "sqlite":
            engine = _sqlite(address, synchronous)
        case "postgresql":
            engine = _postgresql(address)
        case other:
            _engine(address)
            raise DatabaseUnusable(f"database.url: {other} is not supported, only sqlite and postgresql are")
    put_seal(engine, seal)
    return engine


def _sqlite(address: URL, synchronous: str) -> Engine:
    if address.database and not address.database.startswith((":memory:", "file:")):
        _keep_private(Path(address.database))
    engine = _engine(address, connect_args={"check_same_thread": False, "timeout": 30})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # Python's driver would begin transactions by itself, too late for our purpose.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA busy_timeout=30000")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # A transaction that will write waits for its turn at the start, not in the middle.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql(address: URL) -> Engine:
    # Its driver takes long to import, and most have SQLite.
    from controller.store.discreet_cursor import DiscreetCursor

    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    options = " ".join(f"-c {name}={value}" for name, value in _SERVER_OPTIONS.items())
    engine = _engine(
        address,
        connect_args={
            **{name: value for name, value in _NOTICED.items() if name not in address.query},
            "options": options,
            "application_name": "voicecall",
            "cursor_factory": DiscreetCursor,
        },
        # As many as there are threads that read.
        max_overflow=40,
        pool_pre_ping=True,
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        # The driver would begin transactions by itself, with a round trip of their own.
        connection.autocommit = True

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        options = connection.get_execution_options()
        if options.get("writes"):
            # In one message. What the lock was waited for is seen by every statement after it.
            connection.exec_driver_sql(f"BEGIN; SELECT pg_advisory_xact_lock({WRITERS_TURN})")
        elif options.get("reads"):
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _address(url: str) -> URL:
    # A text that is no address may hold a password all the same: it is not repeated.
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUnusable(
            "database.url is no SQLAlchemy address, such as sqlite:////var/lib/voicecall/voicecall.db"
        ) from None


def _engine(address: URL, **options: Any) -> Engine:
    try:
        return create_engine(address, json_serializer=_json, hide_parameters=True, **options)
    except NoSuchModuleError:
        raise DatabaseUnusable(f"database.url: there is no database called {address.drivername}") from None
    except ModuleNotFoundError as error:
        raise DatabaseUnusable(f"database.url: {address.drivername} needs the package {error.name}") from None


def _keep_private(path: Path) -> None:
    """Make the files of an SQLite database readable by their owner alone, from their first byte on.

    SQLite gives those that it adds (-wal, -shm) the mode of the first. A file that is there is never opened:
    closing it would let go of all the locks that SQLite holds on it in this process (POSIX), and another
    process that ends would take the log away from under it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            fault = errno.EISDIR if path.is_dir() else errno.EACCES
            if path.is_dir() or not os.access(path, os.R_OK | os.W_OK):
                raise OSError(fault, os.strerror(fault), str(path)) from None
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mode & 0o077:
                    file.chmod(0o600)
    except OSError as error:
        raise DatabaseUnusable(f"{error.filename or path} can't be used: {error.strerror}") from None


@contextlib.contextmanager
def faults_in_one_line(url: str) -> Iterator[None]:
    """Turn what SQLAlchemy says about this database into DatabaseUnusable."""
    try:
        yield
    except SQLAlchemyError as error:
        said = str(error.orig if isinstance(error, DBAPIError) and error.orig else error)
        where = _address(url).render_as_string(hide_password=True)
        raise DatabaseUnusable(f"{where}: {' '.join(said.split())}") from error

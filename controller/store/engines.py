"""Engines for SQLite and PostgreSQL, and what is wrong with an address of none."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)

from controller.store.errors import DatabaseUnusable
from controller.store.prepared import settle
from controller.store.sealing import Seal, put_seal

WRITERS_TURN: Final = 0x766F6963
"""The advisory lock of PostgreSQL that a writing transaction holds to its end."""

_SERVER_OPTIONS: Final = {
    "timezone": "UTC",
    # A process that was paused in the middle of a transaction must not keep the turn from the others.
    "idle_in_transaction_session_timeout": "4s",
    "lock_timeout": "30s",
}
_ASK_FOR_TURN: Final = (
    "BEGIN; SET LOCAL lock_timeout = '{seconds}s'; "
    f"SELECT pg_advisory_xact_lock({WRITERS_TURN}); SET LOCAL lock_timeout = '30s'"
)
_ASKED_FOR: Final = (5, *[1] * 25)
"""Seconds."""
_END_WHO_HANGS: Final = f"""ROLLBACK;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity JOIN pg_locks USING (pid)
WHERE locktype = 'advisory' AND granted AND classid = 0 AND objid = {WRITERS_TURN} AND objsubid = 1
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND wait_event = 'ClientRead' AND state_change < clock_timestamp() - interval '4 s'"""  # noqa: S608 - a number of ours
"""One that was paused between statements that it sends together is not idle for the server, which still
waits for the rest of them.
"""
_SECRETS: Final = ("password", "sslpassword")
_LOCK_NOT_AVAILABLE: Final = "55P03"
_NOTICED: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""A server whose machine is gone says nothing: connections to it end after some 10 s, not an hour."""


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
    event.listen(engine, "before_cursor_execute", settle)
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
            _take_turn(connection)
        elif options.get("reads"):
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        else:
            connection.exec_driver_sql("BEGIN")

    return engine


def _take_turn(connection: Connection) -> None:
    """Begin a transaction that may write. Raises SQLAlchemyError."""
    for time, seconds in enumerate(_ASKED_FOR, 1):
        try:
            # In one message. What the lock was waited for is seen by every statement after it.
            connection.exec_driver_sql(_ASK_FOR_TURN.format(seconds=seconds))
            return
        except OperationalError as error:
            if time == len(_ASKED_FOR) or getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
        # A role may not end the sessions of every other one.
        with contextlib.suppress(ProgrammingError):
            connection.exec_driver_sql(_END_WHO_HANGS)


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
        # libpq takes passwords as options, too.
        where = _address(url).difference_update_query(_SECRETS).render_as_string(hide_password=True)
        raise DatabaseUnusable(f"{where}: {' '.join(said.split())}") from error

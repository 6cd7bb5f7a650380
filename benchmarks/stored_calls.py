"""Calls of two months, a million of them, in a database: made once, and kept in a folder for the next run.

`details` searches them, `stored` makes calls beside them. The busiest app and its account are those that
benchmarks make calls with (`benchmarks.product`), so that what is asked of an account finds a past.
"""

import argparse
import asyncio
import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from psycopg import sql

from controller.details.index import opened_index
from controller.store.database import Database
from controller.store.schema import migrate
from testbed.postgresql import RunningPostgresql, running_postgresql

DAYS = 62
APPS = 40
BUSIEST_ACCOUNT, BUSIEST_APP = "bench", "bench-notification"
NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
_CALLS = 1_000_000
_MOBILE = ("138", "139", "150", "177", "186")
_RESULTS = (0, 8101, 8102, 8103, 8008, 8001)
_SHARES = (60, 15, 10, 8, 5, 2)
_CHUNK = 20_000

_ANSWERED = {"dialled": None, "ringing": None, "answered": "2026-11-01T00:00:00Z"}
NOT_ANSWERED = {**_ANSWERED, "answered": None}
"""What a CDR says of a leg that was not answered."""


@dataclass(frozen=True)
class StoredCalls:
    """Where they are: in a PostgreSQL, or in a file of the folder."""

    folder: Path
    calls: int
    server: RunningPostgresql | None

    @property
    def engine(self) -> str:
        return "sqlite" if self.server is None else "postgresql"

    @property
    def file(self) -> Path:
        return self.folder / "voicecall.db"

    @property
    def index_file(self) -> Path:
        return self.folder / "call-index.db"

    async def made(self) -> str:
        """Make them if there are none; returns the database's address."""
        if self.server is not None:
            return await asyncio.to_thread(_generate_in_postgresql, self.server, self.calls)
        if not self.file.exists():
            await asyncio.to_thread(_generate, self.file, self.calls)
        return f"sqlite:///{self.file}"

    async def indexed(self) -> str:
        """The same, and their index; begun again, it goes on where it was."""
        url = await self.made()
        async with Database(url) as database, opened_index(database, self.index_file) as index:
            await index.catch_up()
        return url


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say which calls are meant."""
    parser.add_argument("folder", type=Path, nargs="?", help="where they stay for the next run")
    parser.add_argument("--calls", type=int, default=_CALLS, help="how many are made if there are none")
    parser.add_argument("--postgresql", action="store_true", help="in a PostgreSQL, started for this alone")


@contextlib.contextmanager
def opened(asked: argparse.Namespace) -> Iterator[StoredCalls]:
    """The place of the calls that are meant; without a folder it is gone at the end."""
    with contextlib.ExitStack() as stack:
        folder, kept = asked.folder, None
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vc-stored-calls-")))
        else:
            folder = folder.absolute()
            kept = folder / "postgresql"
        folder.mkdir(parents=True, exist_ok=True)
        server = (
            stack.enter_context(running_postgresql(durable=True, kept=kept)) if asked.postgresql else None
        )
        yield StoredCalls(folder, asked.calls, server)


def app_key(app: int) -> str:
    """Of an app by its place: 0 has most calls, the last one fewest."""
    return f"app{app}" if app else BUSIEST_APP


def _account(app: int) -> str:
    return f"account{app // 4}" if app >= 4 else BUSIEST_ACCOUNT


def _service(app: int) -> str:
    return ("notification", "verification", "callback")[app % 3]


_CALL_COLUMNS = (
    "id, session_id, account_id, app_key, service, display_number, callee, addressee, accepted_at, ended_at, "
    "state_code, controller, node, push_profile"
)


def _generate_in_postgresql(server: RunningPostgresql, calls: int) -> str:
    """The same calls as `_generate` makes, unless they are there; returns the database's address."""
    if server.has("bench"):
        return server.url("bench")
    server.drop("making")
    server.create("making")
    migrate(server.url("making"))
    with psycopg.connect(host=str(server.directory), dbname="making", user="voicecall") as connection:
        for app in range(APPS):
            connection.execute(
                "INSERT INTO account (id, name, active) VALUES (%s, '', true) ON CONFLICT DO NOTHING",
                (_account(app),),
            )
            connection.execute(
                "INSERT INTO app (key, account_id, name, service, secret, active, recording, max_calls, "
                "push_profile, webhook_secrets, quality_inspection) "
                "VALUES (%s, %s, '', %s, 'secret', true, false, 100, 'compat', '[]', false)",
                (app_key(app), _account(app), _service(app)),
            )
        rows = _rows(calls)
        cursor = connection.cursor()
        while chunk := list(islice(rows, _CHUNK)):
            with cursor.copy(f"COPY call ({_CALL_COLUMNS}) FROM STDIN") as copy:
                for row in chunk:
                    copy.write_row((*row, "host", "node1", "compat"))
            with cursor.copy("COPY timeline_entry (call_id, sequence, at, kind, leg) FROM STDIN") as copy:
                for row in chunk:
                    for sequence, kind in enumerate(("accepted", "callout", "alerting", "disconnect")):
                        copy.write_row((row[0], sequence, row[8], kind, "a"))
            with cursor.copy("COPY cdr (call_id, app_key, ended_at, record) FROM STDIN") as copy:
                for row in chunk:
                    copy.write_row((row[0], row[3], row[9], _record(row)))
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
    server.execute(sql.SQL("ALTER DATABASE making RENAME TO bench").format())
    return server.url("bench")


def _generate(file: Path, calls: int) -> None:
    """Calls of two months with four timeline entries and a CDR each; a few apps have most of them."""
    url = f"sqlite:///{file}"
    migrate(url)
    with sqlite3.connect(file, isolation_level=None) as database:
        database.execute("PRAGMA synchronous = OFF")
        for app in range(APPS):
            database.execute(
                "INSERT OR IGNORE INTO account (id, name, active) VALUES (?, '', 1)", (_account(app),)
            )
            database.execute(
                "INSERT INTO app (key, account_id, name, service, secret, active, recording, max_calls, "
                "push_profile, webhook_secrets) VALUES (?, ?, '', ?, 'secret', 1, 0, 100, 'compat', '[]')",
                (app_key(app), _account(app), _service(app)),
            )
        rows = _rows(calls)
        while chunk := list(islice(rows, _CHUNK)):
            database.execute("BEGIN")
            database.executemany(
                "INSERT INTO call (id, session_id, account_id, app_key, service, controller, node, "
                "display_number, callee, addressee, push_profile, accepted_at, ended_at, state_code) "
                "VALUES (?, ?, ?, ?, ?, 'host', 'node1', ?, ?, ?, 'compat', ?, ?, ?)",
                chunk,
            )
            database.executemany(
                "INSERT INTO timeline_entry (call_id, sequence, at, kind, leg) VALUES (?, ?, ?, ?, 'a')",
                [
                    (row[0], sequence, row[8], kind)
                    for row in chunk
                    for sequence, kind in enumerate(("accepted", "callout", "alerting", "disconnect"))
                ],
            )
            database.executemany(
                "INSERT INTO cdr (call_id, app_key, ended_at, record) VALUES (?, ?, ?, ?)",
                [(row[0], row[3], row[9], _record(row)) for row in chunk],
            )
            database.execute("COMMIT")


def _rows(calls: int) -> Iterator[tuple[Any, ...]]:
    random = Random(5)
    step = timedelta(days=DAYS) / calls
    at = NEWEST - timedelta(days=DAYS)
    for _number in range(calls):
        at += step * random.uniform(0.01, 1.99)
        app = min(int(random.expovariate(0.15)), APPS - 1)
        callee = f"+86{random.choice(_MOBILE)}{random.randrange(10**8):08}"
        shown = f"+8657126880{app * 5 + random.randrange(5):03}"
        callback = _service(app) == "callback"
        first = f"+86{random.choice(_MOBILE)}{random.randrange(10**8):08}" if callback else callee
        call_id = f"1200_{int(at.timestamp() * 1000)}_{random.getrandbits(32)}_{at:%Y%m%d%H%M%S}"
        state_code = random.choices(_RESULTS, _SHARES)[0]
        ended = at + timedelta(seconds=random.uniform(5, 90))
        yield (
            call_id,
            f"{call_id}@callenabler1.voicecall.example",
            _account(app),
            app_key(app),
            _service(app),
            shown,
            first,
            callee,
            f"{at:%Y-%m-%d %H:%M:%S.%f}",
            f"{ended:%Y-%m-%d %H:%M:%S.%f}",
            state_code,
        )


def _record(row: tuple[Any, ...]) -> str:
    leg = _ANSWERED if row[-1] == 0 else NOT_ANSWERED
    return json.dumps({"first_leg": leg, "second_leg": leg, "callee": row[7], "display_number": row[5]})

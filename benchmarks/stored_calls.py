"""Calls of the last two months, a million of them, in a database: made once, and kept for the next run.

`details` searches them, `stored` makes calls beside them. The busiest app and its account are those that
benchmarks make calls with (`benchmarks.product`), so that what is asked of an account finds a past. The calls
end when they are made: in an older folder what looks back some hours finds nothing (`StoredCalls.age`).
"""

import argparse
import asyncio
import contextlib
import json
import sqlite3
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from sqlmodel import col, func, select

from controller.billing.calendar import Calendar
from controller.details.index import opened_index
from controller.rules.amounts import to_units
from controller.settings import BillingSettings, PushSettings
from controller.store.database import Database
from controller.store.schema import migrate
from controller.store.tables import Call
from testbed.postgresql import RunningPostgresql, running_postgresql

DAYS = 62
APPS = 40
BUSIEST_ACCOUNT, BUSIEST_APP = "bench", "bench-notification"
_CALLS = 1_000_000
_MOBILE = ("138", "139", "150", "177", "186")
_RESULTS = (0, 8101, 8102, 8103, 8008, 8001)
_SHARES = (60, 15, 10, 8, 5, 2)
_CHUNK = 20_000
_FRESH = timedelta(days=1)
_CALENDAR = Calendar(BillingSettings().zone_info)
_MINUTE_PRICE = to_units(BillingSettings().minute_price)

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

    async def newest(self, database: Database) -> datetime:
        """When the last of them was accepted, give or take a call; later ones were made beside them."""
        oldest = select(func.min(col(Call.accepted_at)))
        first: datetime = await database.read(lambda session: session.execute(oldest).scalar_one())
        return first + timedelta(days=DAYS)

    async def age(self, database: Database) -> timedelta:
        """Since the last of them; more than a day is told on standard error, with what to do."""
        age = datetime.now(UTC) - await self.newest(database)
        if age > _FRESH:
            days = f"{age / timedelta(days=1):.1f}"
            told = f"The newest calls in {self.folder} are {days} days old: what looks back a day finds none."
            print(f"{told} Remove the folder, and they are made anew.", file=sys.stderr, flush=True)
        return age

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


class _Call(NamedTuple):
    """A row of `call`; times are texts, as SQLite has them."""

    id: str
    session_id: str
    account_id: str
    app_key: str
    service: str
    display_number: str
    callee: str
    addressee: str
    accepted_at: str
    ended_at: str
    state_code: int
    controller: str = "host"
    node: str = "node1"
    push_profile: str = "compat"


class _Table(NamedTuple):
    """Rows of a table, and their columns as SQL names them."""

    name: str
    columns: str
    rows: Iterable[tuple[Any, ...]]


def _generate_in_postgresql(server: RunningPostgresql, calls: int) -> str:
    """The same calls as `_generate` makes, unless they are there; returns the database's address."""
    if server.has("bench"):
        return server.url("bench")
    server.drop("making")
    server.create("making")
    migrate(server.url("making"))
    with psycopg.connect(host=str(server.directory), dbname="making", user="voicecall") as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        for table in _tables(calls):
            with connection.cursor().copy(f"COPY {table.name} ({table.columns}) FROM STDIN") as copy:
                for row in table.rows:
                    copy.write_row(row)
        connection.commit()
        connection.autocommit = True
        connection.execute("VACUUM ANALYZE")
    server.execute(sql.SQL("ALTER DATABASE making RENAME TO bench").format())
    return server.url("bench")


def _generate(file: Path, calls: int) -> None:
    making = file.with_suffix(".making")
    for left in file.parent.glob(f"{making.name}*"):
        left.unlink()
    migrate(f"sqlite:///{making}")
    with contextlib.closing(sqlite3.connect(making, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        for table in _tables(calls):
            values = ", ".join("?" * (table.columns.count(",") + 1))
            database.execute("BEGIN")
            database.executemany(
                f"INSERT INTO {table.name} ({table.columns}) VALUES ({values})",
                table.rows,
            )
            database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    making.rename(file)


def _tables(calls: int) -> Iterator[_Table]:
    """Calls of the days until now, all of them rated, with what else the product leaves of each; a few apps
    have most of them. In the order in which they are to be put in: some rows refer to others.
    """
    newest = datetime.now(UTC)
    accounts = dict.fromkeys(_account(app) for app in range(APPS))
    yield _Table("account", "id, name, active", [(account, "", True) for account in accounts])
    yield _Table(
        "app",
        "key, account_id, name, service, secret, active, recording, max_calls, push_profile, "
        "webhook_secrets, quality_inspection",
        [
            (
                app_key(app),
                _account(app),
                "",
                _service(app),
                "secret",
                True,
                False,
                100,
                "compat",
                "[]",
                False,
            )
            for app in range(APPS)
        ],
    )
    ends = [_text(newest - timedelta(days=day)) for day in reversed(range(DAYS))]
    yield _Table("settlement", "started_at, until, rated_at, posted_at", [(end,) * 4 for end in ends])
    rows = _rows(calls, newest)
    pushed_since = _text(newest - timedelta(days=PushSettings().attempts_days))
    while chunk := list(islice(rows, _CHUNK)):
        yield _Table("call", ", ".join(_Call._fields), chunk)
        yield _Table("timeline_entry", "call_id, sequence, at, kind, leg", _entries(chunk))
        yield _Table(
            "cdr",
            "call_id, app_key, ended_at, record",
            ((call.id, call.app_key, call.ended_at, _record(call)) for call in chunk),
        )
        yield _Table(
            "push_attempt",
            "call_id, message_id, app_key, url, event_type, sequence, attempt, at, latency_ms, status, "
            "answer",
            (push for call in chunk if call.ended_at >= pushed_since for push in _pushes(call)),
        )
        yield _Table(
            "rated_call",
            "call_id, settlement_id, account_id, app_key, service, ended_at, day, legs, seconds, minutes, "
            "minute_price, amount",
            (_rated(call, ends) for call in chunk),
        )


def _entries(calls: Iterable[_Call]) -> Iterator[tuple[Any, ...]]:
    for call in calls:
        for sequence, kind in enumerate(("accepted", "callout", "alerting", "disconnect")):
            yield call.id, sequence, call.accepted_at, kind, "a"


def _pushes(call: _Call) -> Iterator[tuple[Any, ...]]:
    """Three that told of the call, and one with its record; all were taken at once."""
    for sequence, event in ((1, "callout"), (2, "alerting"), (3, "disconnect"), (None, "fee")):
        message = f"msg_cdr_{sha256(call.id.encode()).hexdigest()[:32]}"
        if sequence is not None:
            message = f"msg_{call.id}_{sequence}"
        url = f"http://customer.example:8080/{'fee' if sequence is None else 'status'}"
        yield call.id, message, call.app_key, url, event, sequence, 1, call.ended_at, 4, 200, ""


def _rated(call: _Call, settlements: Sequence[str]) -> tuple[Any, ...]:
    """`settlements` are the ends of what each of them rated; the last one has what ended later, too."""
    ended_at = datetime.fromisoformat(call.ended_at).replace(tzinfo=UTC)
    settlement = min(bisect_right(settlements, call.ended_at) + 1, len(settlements))
    legs = 0 if call.state_code else 2 if call.service == "callback" else 1
    return (
        *(call.id, settlement, call.account_id, call.app_key, call.service, call.ended_at),
        _CALENDAR.day(ended_at).isoformat(),
        *(legs, 60 * legs, legs, _MINUTE_PRICE, legs * _MINUTE_PRICE),
    )


def _rows(calls: int, newest: datetime) -> Iterator[_Call]:
    random = Random(5)
    step = timedelta(days=DAYS) / calls
    for left in reversed(range(calls)):
        at = newest - step * (left + random.uniform(0.01, 0.99))
        app = min(int(random.expovariate(0.15)), APPS - 1)
        callee = f"+86{random.choice(_MOBILE)}{random.randrange(10**8):08}"
        shown = f"+8657126880{app * 5 + random.randrange(5):03}"
        callback = _service(app) == "callback"
        first = f"+86{random.choice(_MOBILE)}{random.randrange(10**8):08}" if callback else callee
        call_id = f"1200_{int(at.timestamp() * 1000)}_{random.getrandbits(32)}_{at:%Y%m%d%H%M%S}"
        state_code = random.choices(_RESULTS, _SHARES)[0]
        ended = at + timedelta(seconds=random.uniform(5, 90))
        yield _Call(
            call_id,
            f"{call_id}@callenabler1.voicecall.example",
            _account(app),
            app_key(app),
            _service(app),
            shown,
            first,
            callee,
            _text(at),
            _text(ended),
            state_code,
        )


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}"


def _record(call: _Call) -> str:
    leg = NOT_ANSWERED if call.state_code else _ANSWERED
    return json.dumps(
        {"first_leg": leg, "second_leg": leg, "callee": call.addressee, "display_number": call.display_number}
    )

"""Finding calls among a million, and what keeping the index up costs calls. Prints one JSON line.

With a folder as argument the data stays there and is used again: the first run makes it (some minutes), and
with `--make` does nothing else. With `--postgresql` the calls are in a PostgreSQL that is started for this
alone; `--calls` makes fewer or more.
"""

import argparse
import asyncio
import contextlib
import json
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import psycopg
import uvloop
from psycopg import sql
from sqlmodel import Session

from controller.clock import SystemClock
from controller.details.archive import CallArchive
from controller.details.index import CallIndex, opened_index
from controller.details.search import CallSearch
from controller.store.call_filter import CallFilter
from controller.store.calls import accept_call, end_call
from controller.store.database import Database
from controller.store.limits import Limits
from controller.store.schema import migrate
from controller.store.tables import Service
from testbed.postgresql import RunningPostgresql, running_postgresql

CALLS = 1_000_000
_DAYS = 62
_APPS = 40
_ROUNDS = 150
_NEWEST = datetime(2026, 11, 1, tzinfo=UTC)
_MOBILE = ("138", "139", "150", "177", "186")
_RESULTS = (0, 8101, 8102, 8103, 8008, 8001)
_SHARES = (60, 15, 10, 8, 5, 2)
_CHUNK = 20_000
_BLOCKS, _BLOCK_SECONDS, _WORKERS = 8, 4.0, 16
_RATE = 100.0

_ANSWERED = {"dialled": None, "ringing": None, "answered": "2026-11-01T00:00:00Z"}
_NOT = {**_ANSWERED, "answered": None}


def _account(app: int) -> str:
    return f"account{app // 4}"


def _service(app: int) -> str:
    return ("notification", "verification", "callback")[app % 3]


_CALL_COLUMNS = (
    "id, session_id, account_id, app_key, service, display_number, callee, addressee, accepted_at, ended_at, "
    "state_code, controller, node, push_profile"
)


def generate_in_postgresql(server: RunningPostgresql, calls: int) -> str:
    """The same calls as `generate` makes, unless they are there; returns the database's address."""
    if server.has("bench"):
        return server.url("bench")
    server.drop("making")
    server.create("making")
    migrate(server.url("making"))
    with psycopg.connect(host=str(server.directory), dbname="making", user="voicecall") as connection:
        for app in range(_APPS):
            connection.execute(
                "INSERT INTO account (id, name, active) VALUES (%s, '', true) ON CONFLICT DO NOTHING",
                (_account(app),),
            )
            connection.execute(
                "INSERT INTO app (key, account_id, name, service, secret, active, recording, max_calls, "
                "push_profile, webhook_secrets, quality_inspection) "
                "VALUES (%s, %s, '', %s, 'secret', true, false, 100, 'compat', '[]', false)",
                (f"app{app}", _account(app), _service(app)),
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


def generate(file: Path, calls: int) -> None:
    """Calls of two months with four timeline entries and a CDR each; a few apps have most of them."""
    url = f"sqlite:///{file}"
    migrate(url)
    with sqlite3.connect(file, isolation_level=None) as database:
        database.execute("PRAGMA synchronous = OFF")
        for app in range(_APPS):
            database.execute(
                "INSERT OR IGNORE INTO account (id, name, active) VALUES (?, '', 1)", (_account(app),)
            )
            database.execute(
                "INSERT INTO app (key, account_id, name, service, secret, active, recording, max_calls, "
                "push_profile, webhook_secrets) VALUES (?, ?, '', ?, 'secret', 1, 0, 100, 'compat', '[]')",
                (f"app{app}", _account(app), _service(app)),
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
    step = timedelta(days=_DAYS) / calls
    at = _NEWEST - timedelta(days=_DAYS)
    for number in range(calls):
        at += step * random.uniform(0.01, 1.99)
        app = min(int(random.expovariate(0.15)), _APPS - 1)
        callee = f"+86{random.choice(_MOBILE)}{random.randrange(10**8):08}"
        shown = f"+8657126880{app * 5 + random.randrange(5):03}"
        callback = _service(app) == "callback"
        first = f"+86{random.choice(_MOBILE)}{random.randrange(10**8):08}" if callback else callee
        call_id = f"1200_{number % 50_000}_{random.getrandbits(32)}_{at:%Y%m%d%H%M%S}"
        state_code = random.choices(_RESULTS, _SHARES)[0]
        ended = at + timedelta(seconds=random.uniform(5, 90))
        yield (
            call_id,
            f"{call_id}@callenabler1.voicecall.example",
            _account(app),
            f"app{app}",
            _service(app),
            shown,
            first,
            callee,
            f"{at:%Y-%m-%d %H:%M:%S.%f}",
            f"{ended:%Y-%m-%d %H:%M:%S.%f}",
            state_code,
        )


def _record(row: tuple[Any, ...]) -> str:
    leg = _ANSWERED if row[-1] == 0 else _NOT
    return json.dumps({"first_leg": leg, "second_leg": leg, "callee": row[7], "display_number": row[5]})


def filters(newest: datetime) -> dict[str, dict[str, Any]]:
    """Every filter and combinations, with parts that many calls have, few old ones, or none."""
    old = newest - timedelta(days=_DAYS)
    app, other, rare = "app0", "app7", f"app{_APPS - 2}"
    busy = frozenset({8102})
    return {
        "none": {},
        "account": {"account_id": "account0"},
        "account_rare": {"account_id": "account9"},
        "app": {"app_key": app},
        "app_rare": {"app_key": rare},
        "app_unknown": {"app_key": "nobody"},
        "service": {"service": Service.CALLBACK},
        "result": {"results": busy},
        "result_rare": {"results": frozenset({8001})},
        "result_unknown": {"results": frozenset({8017})},
        "old_day": {"since": old, "until": old + timedelta(days=1)},
        "session_salt": {"session_id": "_31415"},
        "session_day_old": {"session_id": f"{old + timedelta(days=2):%Y%m%d}"},
        "session_day_none": {"session_id": "20260102"},
        "session_common_none": {"session_id": "1200_99999_"},
        "caller_common": {"caller": "+8657126"},
        "caller_few": {"caller": "6880199"},
        "callee_few": {"callee": "5550123"},
        "callee_four": {"callee": "5550"},
        "callee_none": {"callee": "861860000000000"},
        "callee_common_none": {"callee": "613861"},
        "text_few": {"text": "5550123"},
        "text_common": {"text": "+8613"},
        "text_none": {"text": "613861386"},
        "account_other_app": {"account_id": "account0", "app_key": other},
        "account_other_service": {"account_id": "account0", "app_key": app, "service": Service.CALLBACK},
        "app_result": {"app_key": app, "results": busy},
        "app_result_old_day": {"app_key": app, "results": busy, "until": old + timedelta(days=1)},
        "app_caller_of_other": {"app_key": app, "caller": "+8657126880036"},
        "all_common_none": {
            "account_id": "account0",
            "app_key": app,
            "service": Service.NOTIFICATION,
            "results": frozenset({0, 8101}),
            "session_id": "1200_",
            "caller": "+865712688",
            "callee": "+86999",
        },
        "three_parts_none": {"session_id": "1200_9", "caller": "+8657126880036", "callee": "+86150"},
        "account_text_few": {"account_id": "account0", "text": "555012"},
    }


async def _search(search: CallSearch) -> dict[str, dict[str, float]]:
    seconds: dict[str, list[float]] = {name: [] for name in filters(_NEWEST)}
    worked: dict[str, list[float]] = {name: [] for name in seconds}
    # Round by round, so that no filter has a better moment than the others.
    for _ in range(_ROUNDS):
        for name, conditions in filters(_NEWEST).items():
            began, began_working = time.perf_counter(), time.process_time()
            await search.find(CallFilter(**conditions), of_account=None)
            seconds[name].append(time.perf_counter() - began)
            worked[name].append(time.process_time() - began_working)
    return {
        name: {
            "first": milliseconds(its[0]),
            "p50": milliseconds(median(its)),
            "p99": milliseconds(_percentile(its, 0.99)),
            "cpu_p99": milliseconds(_percentile(worked[name], 0.99)),
        }
        for name, its in seconds.items()
    }


def milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)


def _percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Calls:
    """Calls that begin and end, as far as the database sees it."""

    def __init__(self, database: Database, salt: str = "7") -> None:
        """`salt` keeps the ids of several processes apart."""
        self._database = database
        self._salt = salt
        self._made = int(time.time() * 1000) * 1000
        self.seconds: list[float] = []

    async def at_rate(self, seconds: float, rate: float) -> None:
        """Calls at an even rate, and how long each transaction took."""
        began = time.perf_counter()
        tasks = []
        for number in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            tasks.append(asyncio.create_task(self.one()))
        await asyncio.gather(*tasks)

    async def as_many_as_possible(self, seconds: float) -> float:
        """Calls a second."""
        until = time.perf_counter() + seconds
        made = 0

        async def work() -> None:
            nonlocal made
            while time.perf_counter() < until:
                await self.one()
                made += 1

        await asyncio.gather(*(work() for _ in range(_WORKERS)))
        return made / seconds

    async def one(self) -> None:
        self._made += 1
        now = datetime.now(UTC)
        call_id = f"1200_{self._made}_{self._salt}_{now:%Y%m%d%H%M%S}"
        row = {
            "id": call_id,
            "session_id": f"{call_id}@host",
            "account_id": "account0",
            "app_key": "app0",
            "service": "notification",
            "controller": "host",
            "node": "node1",
            "display_number": "+8657126880001",
            "callee": "+8613900001111",
            "addressee": "+8613900001111",
            "push_profile": "compat",
            "accepted_at": now,
        }
        began = time.perf_counter()
        await self._database.write(lambda session: accept_call(session, row, None, Limits(1_000_000)))
        accepted = time.perf_counter()
        await self._database.write(lambda session: self._end(session, call_id, now))
        self.seconds += [accepted - began, time.perf_counter() - accepted]

    @staticmethod
    def _end(session: Session, call_id: str, now: datetime) -> None:
        entry = {
            "call_id": call_id,
            "sequence": 1,
            "at": now,
            "kind": "disconnect",
            "leg": None,
            "detail": None,
        }
        end_call(
            session,
            call_id,
            ended_at=now,
            state_code=0,
            last_entry=entry,
            cdr={"first_leg": _NOT, "second_leg": _NOT},
            app_key="app0",
            delivery=None,
        )


async def _writes(database: Database, index: CallIndex) -> dict[str, float]:
    """Calls without the archive and with it, in blocks that take turns; with it also what it missed."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for block in range(_BLOCKS):
        indexed = block % 2 == 1
        calls = Calls(database)
        async with contextlib.AsyncExitStack() as stack:
            if indexed:
                await stack.enter_async_context(_archive(database, index))
            await calls.at_rate(_BLOCK_SECONDS, _RATE)
            seconds[indexed] += calls.seconds
            rates[indexed].append(await calls.as_many_as_possible(_BLOCK_SECONDS))
    return {
        "calls_per_s_alone": round(median(rates[False]), 1),
        "calls_per_s_indexed": round(median(rates[True]), 1),
        "write_ms_p50_alone": milliseconds(median(seconds[False])),
        "write_ms_p50_indexed": milliseconds(median(seconds[True])),
        "write_ms_p99_alone": milliseconds(_percentile(seconds[False], 0.99)),
        "write_ms_p99_indexed": milliseconds(_percentile(seconds[True], 0.99)),
    }


@contextlib.asynccontextmanager
async def _archive(database: Database, index: CallIndex) -> Any:
    archive = CallArchive(database, index, SystemClock(), timedelta(days=36500))
    task = asyncio.create_task(archive.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _data(folder: Path, calls: int, server: RunningPostgresql | None) -> str:
    """Make the calls if there are none; returns the database's address."""
    if server is not None:
        return await asyncio.to_thread(generate_in_postgresql, server, calls)
    file = folder / "voicecall.db"
    if not file.exists():
        await asyncio.to_thread(generate, file, calls)
    return f"sqlite:///{file}"


async def make(folder: Path, calls: int, server: RunningPostgresql | None) -> None:
    """What takes long before anything can be measured; begun again, it goes on where it was."""
    url = await _data(folder, calls, server)
    async with Database(url) as database, opened_index(database, folder / "call-index.db") as index:
        await index.catch_up()


async def measure(folder: Path, calls: int, server: RunningPostgresql | None = None) -> dict[str, Any]:
    """Make the data if there is none, then search and write."""
    file, index_file = folder / "voicecall.db", folder / "call-index.db"
    url = await _data(folder, calls, server)
    async with (
        Database(url) as database,
        opened_index(database, index_file) as index,
    ):
        began = time.perf_counter()
        taken = await index.catch_up()
        indexing = time.perf_counter() - began
        found = await _search(CallSearch(database, index))
        written = await _writes(database, index)
    return {
        "bench": "details",
        "engine": "sqlite" if server is None else "postgresql",
        "calls": calls,
        "indexed_per_s": round(taken / indexing) if taken else None,
        "index_mb": round(index_file.stat().st_size / 1e6),
        "database_mb": round(file.stat().st_size / 1e6) if server is None else None,
        "first_page_ms": found,
        **{
            f"worst_{what}_ms": max(its[what] for its in found.values())
            for what in ("first", "p99", "cpu_p99")
        },
        **written,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--make", action="store_true", help="only make the data in the folder, and its index")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = asked.folder
        kept = None if folder is None else folder / "postgresql"
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vc-details-")))
        folder.mkdir(parents=True, exist_ok=True)
        server = None
        if asked.postgresql:
            server = stack.enter_context(running_postgresql(durable=True, kept=kept))
        if asked.make:
            asyncio.run(make(folder, asked.calls, server))
            return
        print(json.dumps(uvloop.run(measure(folder, asked.calls, server))))


if __name__ == "__main__":
    main()

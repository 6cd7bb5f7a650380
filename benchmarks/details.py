"""Finding calls among a million, and what keeping the index up costs calls. Prints one JSON line.

With a folder as argument the data stays there and is used again: the first run makes it (some minutes), and
with `--make` does nothing else. With `--postgresql` the calls are in a PostgreSQL that is started for this
alone; `--calls` makes fewer or more.
"""

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import uvloop
from sqlmodel import Session

from benchmarks import stored_calls
from benchmarks.stored_calls import (
    APPS,
    BUSIEST_ACCOUNT,
    BUSIEST_APP,
    DAYS,
    NOT_ANSWERED,
    StoredCalls,
    app_key,
)
from controller.clock import SystemClock
from controller.details.archive import CallArchive
from controller.details.index import CallIndex, opened_index
from controller.details.search import CallSearch
from controller.store.call_filter import CallFilter
from controller.store.calls import accept_call, end_call
from controller.store.database import Database
from controller.store.limits import Limits
from controller.store.tables import Service

_ROUNDS = 150
_BLOCKS, _BLOCK_SECONDS, _WORKERS = 8, 4.0, 16
_RATE = 100.0


def filters(newest: datetime) -> dict[str, dict[str, Any]]:
    """Every filter and combinations, with parts that many calls have, few old ones, or none."""
    old = newest - timedelta(days=DAYS)
    app, other, rare = BUSIEST_APP, app_key(7), app_key(APPS - 2)
    busy = frozenset({8102})
    return {
        "none": {},
        "account": {"account_id": BUSIEST_ACCOUNT},
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
        "session_day_none": {"session_id": f"{old - timedelta(days=30):%Y%m%d}"},
        "session_common_none": {"session_id": f"1200_{(newest + timedelta(days=400)).timestamp():.0f}"[:9]},
        "caller_common": {"caller": "+8657126"},
        "caller_few": {"caller": "6880199"},
        "callee_few": {"callee": "5550123"},
        "callee_four": {"callee": "5550"},
        "callee_none": {"callee": "861860000000000"},
        "callee_common_none": {"callee": "613861"},
        "text_few": {"text": "5550123"},
        "text_common": {"text": "+8613"},
        "text_none": {"text": "613861386"},
        "account_other_app": {"account_id": BUSIEST_ACCOUNT, "app_key": other},
        "account_other_service": {"account_id": BUSIEST_ACCOUNT, "app_key": app, "service": Service.CALLBACK},
        "app_result": {"app_key": app, "results": busy},
        "app_result_old_day": {"app_key": app, "results": busy, "until": old + timedelta(days=1)},
        "app_caller_of_other": {"app_key": app, "caller": "+8657126880036"},
        "all_common_none": {
            "account_id": BUSIEST_ACCOUNT,
            "app_key": app,
            "service": Service.NOTIFICATION,
            "results": frozenset({0, 8101}),
            "session_id": "1200_",
            "caller": "+865712688",
            "callee": "+86999",
        },
        "three_parts_none": {"session_id": "1200_1", "caller": "+8657126880036", "callee": "+86150"},
        "account_text_few": {"account_id": BUSIEST_ACCOUNT, "text": "555012"},
    }


async def _search(search: CallSearch, newest: datetime, only: Sequence[str]) -> dict[str, dict[str, float]]:
    wanted = {name: its for name, its in filters(newest).items() if not only or name in only}
    seconds: dict[str, list[float]] = {name: [] for name in wanted}
    worked: dict[str, list[float]] = {name: [] for name in seconds}
    # Round by round, so that no filter has a better moment than the others.
    for _ in range(_ROUNDS):
        for name, conditions in wanted.items():
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
        call_id = f"1200_{int(now.timestamp() * 1000)}_{self._salt}{self._made}_{now:%Y%m%d%H%M%S}"
        row = {
            "id": call_id,
            "session_id": f"{call_id}@host",
            "account_id": BUSIEST_ACCOUNT,
            "app_key": BUSIEST_APP,
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
            cdr={"first_leg": NOT_ANSWERED, "second_leg": NOT_ANSWERED},
            app_key=BUSIEST_APP,
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


async def measure(stored: StoredCalls, only: Sequence[str] = ()) -> dict[str, Any]:
    """Make the data if there is none, then search and write; with `only`, search by these filters alone."""
    url = await stored.made()
    async with Database(url) as database, opened_index(database, stored.index_file) as index:
        began = time.perf_counter()
        taken = await index.catch_up()
        indexing = time.perf_counter() - began
        found = await _search(CallSearch(database, index), await stored.newest(database), only)
        written = {} if only else await _writes(database, index)
    return {
        "bench": "details",
        "engine": stored.engine,
        "calls": stored.calls,
        "indexed_per_s": round(taken / indexing) if taken else None,
        "index_mb": round(stored.index_file.stat().st_size / 1e6),
        "database_mb": round(stored.file.stat().st_size / 1e6) if stored.server is None else None,
        "first_page_ms": found,
        **{
            f"worst_{what}_ms": max(its[what] for its in found.values())
            for what in ("first", "p99", "cpu_p99")
        },
        **written,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    stored_calls.add_arguments(parser)
    parser.add_argument("--make", action="store_true", help="only make the data in the folder, and its index")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        choices=[*filters(datetime.now(UTC))],
        help="search by these filters alone",
    )
    asked = parser.parse_args()
    with stored_calls.opened(asked) as stored:
        if asked.make:
            asyncio.run(stored.indexed())
        else:
            print(json.dumps(uvloop.run(measure(stored, asked.only))))


if __name__ == "__main__":
    main()

"""Whether a call costs more where a million have been made. Prints one JSON line.

Two controllers on fake nodes of their own, one on an empty database and one on a full one, are asked by
turns: at an even rate for the processor time of a call, and for as much as they can do. The calls are of the
account that has most of those stored, with everything counted that can limit a call. The folder is one
that `python -m benchmarks.details FOLDER --make` has made (with `--postgresql`, if that is to be measured),
and keeps the calls that are made here; one that is older than a day is told as such, as most limits look back
less. Without a folder they are made for this alone, which takes minutes.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

import uvloop
from psycopg import sql

from benchmarks import stored_calls
from benchmarks.fake_nodes import FakeHouse, fake_house
from benchmarks.load import run, saturate
from benchmarks.product import Use
from benchmarks.services import NOTIFICATION
from benchmarks.stored_calls import StoredCalls
from benchmarks.usage import database_seconds, ratio_by_rounds
from controller.settings import CallSettings, DatabaseSettings, LimitSettings
from controller.store.database import Database
from testbed.postgresql import RunningPostgresql

_RATE, _SECONDS = 50.0, 6.0
_ROUNDS = 5
_UNDER_WAY, _AT_MOST = 240, 2000.0
_FULL_SECONDS = 9.0
_LIMITS = LimitSettings(
    account_calls_per_second=100_000,
    daily_cap=Decimal(10**9),
    callee_frequency="warn",
    callee_windows=["500/24h", "1000/30d"],
)
"""What is counted for each call, and never reached."""

_PROMPT = 0.1
"""Seconds that a prompt lasts: calls under way are then calls that are worked on."""


@dataclass
class Cost:
    """What was seen of one side, block by block."""

    cpu_ms: list[float] = field(default_factory=list)
    """Of the controller and, where it is a process, the database."""
    calls_per_s: list[float] = field(default_factory=list)
    faults: dict[str, float] = field(default_factory=dict)


async def measure(stored: StoredCalls) -> dict[str, object]:
    """All figures."""
    urls = {"empty": _empty(stored), "full": await stored.indexed()}
    async with Database(urls["full"]) as database:
        age = await stored.age(database)
    costs = {name: Cost() for name in urls}
    with tempfile.TemporaryDirectory(prefix="vc-stored-") as temporary:
        async with contextlib.AsyncExitStack() as stack:
            houses = {
                name: await stack.enter_async_context(
                    fake_house(
                        Path(temporary) / name,
                        Use(NOTIFICATION),
                        {
                            "database": DatabaseSettings(url=url),
                            "data_dir": stored.folder if name == "full" else Path(temporary) / "data",
                            "calls": CallSettings(drain_timeout=2),
                            "limits": _LIMITS,
                        },
                    )
                )
                for name, url in urls.items()
            }
            for house in houses.values():
                house.node.play_for(_PROMPT)
                await run(house.side, _RATE, _SECONDS)
            if stored.server is not None:
                # As the server does by itself a minute later: it plans a table that it takes for empty worse.
                stored.server.execute(sql.Composed([sql.SQL("ANALYZE")]), "empty")
            for number in range(_ROUNDS):
                # Who is second in one round is first in the next.
                for name in list(houses)[:: 1 if number % 2 else -1]:
                    await _block(name, houses[name], costs[name], stored.server)
    empty, full = costs["empty"], costs["full"]
    return {
        "bench": "stored",
        "engine": stored.engine,
        "stored": stored.calls,
        "hours_old": round(age / timedelta(hours=1), 1),
        "calls_per_s_empty": round(median(empty.calls_per_s), 1),
        "calls_per_s_full": round(median(full.calls_per_s), 1),
        "ratio": round(ratio_by_rounds(full.calls_per_s, empty.calls_per_s), 3),
        "cpu_ms_per_call_empty": round(median(empty.cpu_ms), 3),
        "cpu_ms_per_call_full": round(median(full.cpu_ms), 3),
        "cpu_ratio": round(ratio_by_rounds(empty.cpu_ms, full.cpu_ms), 3),
        "faults": empty.faults | full.faults,
        "load_average": round(os.getloadavg()[0], 1),
    }


def _empty(stored: StoredCalls) -> str:
    """The address of a database without calls, beside the full one and on the same disk."""
    if stored.server is None:
        file = stored.folder / "empty.db"
        for old in stored.folder.glob("empty.db*"):
            old.unlink()
        return f"sqlite:///{file}"
    stored.server.drop("empty")
    stored.server.create("empty")
    return stored.server.url("empty")


async def _block(name: str, house: FakeHouse, cost: Cost, server: RunningPostgresql | None) -> None:
    before = 0.0 if server is None else database_seconds(server)
    trial = await run(house.side, _RATE, _SECONDS)
    used = 0.0 if server is None else database_seconds(server) - before
    cost.cpu_ms.append(trial.cpu_ms["controller"] + 1000 * used / trial.calls)
    busy = await saturate(house.side, _UNDER_WAY, _FULL_SECONDS, _AT_MOST)
    cost.calls_per_s.append(busy.calls_per_s)
    for faults in (trial.faults, busy.faults):
        cost.faults |= {f"{name}: {what}": much for what, much in faults.items()}
    print(f"{name:6}{trial}; database {1000 * used / trial.calls:.2f}", file=sys.stderr)
    print(f"{name:6}{busy}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    stored_calls.add_arguments(parser)
    with stored_calls.opened(parser.parse_args()) as stored:
        print(json.dumps(uvloop.run(measure(stored))))


if __name__ == "__main__":
    main()

"""What a month's calls as CSV cost in memory and time, few and many of them. Prints one JSON line.

The largest memory of the process is read after 10,000 calls and again after 1,000,000: what it grew by
between the two is what a larger month costs.
"""

import argparse
import asyncio
import json
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from controller.billing.calendar import Calendar
from controller.billing.statements import rated_calls_csv
from controller.store.database import Database
from controller.store.schema import migrate

FEW, MANY = 10_000, 1_000_000
_MONTH, _BEGINS = "2026-11", datetime(2026, 11, 1, tzinfo=UTC)
_CALENDAR = Calendar(ZoneInfo("UTC"))


def fill(file: Path, counts: dict[str, int]) -> None:
    """Rated calls of a month, so many of each account."""
    migrate(f"sqlite:///{file}")
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA synchronous = OFF")
        moment = f"{_BEGINS:%Y-%m-%d %H:%M:%S.%f}"
        database.execute(
            "INSERT INTO settlement (id, started_at, until, posted_at) VALUES (1, ?, ?, ?)", (moment,) * 3
        )
        for account, count in counts.items():
            database.execute("INSERT INTO account (id, name, active) VALUES (?, '', 1)", (account,))
            database.executemany(
                "INSERT INTO rated_call (call_id, settlement_id, account_id, app_key, service, ended_at, "
                "day, legs, seconds, minutes, minute_price, amount) "
                "VALUES (?, 1, ?, 'bench', 'notification', ?, ?, 1, 61, 2, 1800, 3600)",
                _rows(account, count),
            )


def _rows(account: str, count: int) -> Iterator[tuple[str, str, str, str]]:
    for number in range(count):
        ended = _BEGINS + timedelta(days=30) * number / count
        name = f"1200_{account}_{number:07}_{ended:%Y%m%d%H%M%S}"
        yield name, account, f"{ended:%Y-%m-%d %H:%M:%S.%f}", f"{ended:%Y-%m-%d}"


def largest_mb() -> float:
    """The most memory that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def read(database: Database, account: str) -> tuple[int, int, float]:
    """Lines without the header, bytes, seconds."""
    began = time.perf_counter()
    lines = size = 0
    async for piece in await rated_calls_csv(database, account, _MONTH, _CALENDAR):
        lines += piece.count("\n")
        size += len(piece)
    return lines - 1, size, time.perf_counter() - began


async def measure(file: Path, counts: dict[str, int]) -> dict[str, object]:
    """All figures."""
    async with Database(f"sqlite:///{file}") as database:
        found = {}
        for account in counts:
            found[account] = (*await read(database, account), largest_mb())
    few, many = found.values()
    return {
        "bench": "statements",
        "calls": [few[0], many[0]],
        "csv_mb": round(many[1] / 1e6, 1),
        "seconds": [round(few[2], 2), round(many[2], 2)],
        "calls_per_s": [round(few[0] / few[2]), round(many[0] / many[2])],
        "largest_mb": [round(few[3], 1), round(many[3], 1)],
        "grown_mb": round(many[3] - few[3], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=MANY)
    asked = parser.parse_args()
    counts = {"few": FEW, "many": asked.calls}
    with tempfile.TemporaryDirectory(prefix="vc-statements-") as folder:
        file = Path(folder) / "voicecall.db"
        fill(file, counts)
        print(json.dumps(asyncio.run(measure(file, counts))))


if __name__ == "__main__":
    main()

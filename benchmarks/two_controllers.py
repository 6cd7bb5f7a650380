"""Two controllers on one PostgreSQL against one, on fake nodes. Prints one JSON line.

Both run all the while. In blocks that take turns the first, the second or both make calls, each at the same
rate. What a controller's core gets done is calls by the controllers' processor time: what sharing a database
costs shows there, whatever else the machine's cores have to do. The database's own time is told beside it.
"""

import asyncio
import base64
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import uvloop
from pydantic import SecretStr

from benchmarks.fake_nodes import FakeHouse, fake_house
from benchmarks.load import run
from benchmarks.product import Use
from benchmarks.services import NOTIFICATION
from benchmarks.usage import database_seconds
from controller.settings import CallSettings, DatabaseSettings
from testbed.postgresql import RunningPostgresql, running_postgresql

_RATE, _SECONDS = 50.0, 8.0
_ROUNDS = 4
_NAMES = ("first", "second")


@dataclass
class Blocks:
    """What was seen when one worked, or both, block by block."""

    calls_per_core: list[float] = field(default_factory=list)
    """Calls for each second of the controllers' processor time."""
    database_ms: list[float] = field(default_factory=list)
    faults: dict[str, float] = field(default_factory=dict)


async def measure(server: RunningPostgresql) -> dict[str, object]:
    """All figures."""
    server.create("bench")
    database = DatabaseSettings(
        url=server.url("bench"), secret_key=SecretStr(base64.b64encode(secrets.token_bytes(32)).decode())
    )
    one, two = Blocks(), Blocks()
    with tempfile.TemporaryDirectory(prefix="vc-two-") as temporary:
        async with AsyncExitStack() as stack:
            houses = [
                await stack.enter_async_context(
                    fake_house(
                        Path(temporary) / name,
                        Use(NOTIFICATION),
                        {"database": database, "name": name, "calls": CallSettings(drain_timeout=2)},
                        node_name=name,
                    )
                )
                for name in _NAMES
            ]
            await _block(houses, Blocks(), server)
            for number in range(_ROUNDS):
                alone = houses[number % 2 : number % 2 + 1]
                for working, blocks in ((alone, one), (houses, two))[:: 1 if number % 2 else -1]:
                    await _block(working, blocks, server)
    return {
        "bench": "two_controllers",
        "rate_each": _RATE,
        "calls_per_s_one": _RATE,
        "calls_per_s_two": 2 * _RATE,
        "calls_per_core_s_one": round(median(one.calls_per_core), 1),
        "calls_per_core_s_two": round(median(two.calls_per_core), 1),
        "ratio": round(median(two.calls_per_core) / median(one.calls_per_core), 3),
        "database_ms_per_call_one": round(median(one.database_ms), 3),
        "database_ms_per_call_two": round(median(two.database_ms), 3),
        "faults": one.faults | two.faults,
        "load_average": round(os.getloadavg()[0], 1),
    }


async def _block(houses: Sequence[FakeHouse], blocks: Blocks, server: RunningPostgresql) -> None:
    before = database_seconds(server)
    trials = await asyncio.gather(*(run(house.side, _RATE, _SECONDS) for house in houses))
    used = database_seconds(server) - before
    calls = sum(trial.calls for trial in trials)
    seconds = sum(trial.cpu_ms["controller"] * trial.calls / 1000 for trial in trials)
    blocks.calls_per_core.append(calls / seconds)
    blocks.database_ms.append(1000 * used / calls)
    for trial in trials:
        blocks.faults |= trial.faults
        print(f"{len(houses)} working: {trial}", file=sys.stderr, flush=True)


def main() -> None:
    with running_postgresql(durable=True) as server:
        print(json.dumps(uvloop.run(measure(server))))


if __name__ == "__main__":
    main()

"""Two controllers on one PostgreSQL against one, on fake nodes. Prints one JSON line.

Each controller is held to two fifths of a core, so that what it can't use while it waits for the other's
writes is lost, as on a machine with a core for each; PostgreSQL and everything else have what is left of two
cores, which is more than they need. In blocks that take turns the first, the second or both make as many
calls as they can. So the ratio is what a controller's part of a core gets done beside another controller.
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
from benchmarks.load import saturate
from benchmarks.product import Use
from benchmarks.services import NOTIFICATION
from benchmarks.usage import database_seconds, held_to, ratio_by_rounds
from controller.settings import CallSettings, DatabaseSettings
from testbed.postgresql import RunningPostgresql, running_postgresql

_CORES = 0.4
"""What each controller may use."""

_UNDER_WAY, _AT_MOST, _SECONDS = 150, 500.0, 9.0
"""Calls of each controller under way, calls a second of each at most, and how long a block lasts."""

_PROMPT = 0.1
"""Seconds that a prompt lasts: calls under way are then calls that are worked on."""

_ROUNDS = 5
_NAMES = ("first", "second")


@dataclass
class Blocks:
    """What was seen when one worked, or both, block by block."""

    calls_per_s: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    """Of the controllers, a call."""
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
            for house in houses:
                house.node.play_for(_PROMPT)
                [controller] = house.side.processes()["controller"]
                stack.enter_context(held_to(controller, _CORES))
            await _block(houses, Blocks(), server)
            for number in range(_ROUNDS):
                alone = houses[number % 2 : number % 2 + 1]
                for working, blocks in ((alone, one), (houses, two))[:: 1 if number % 2 else -1]:
                    await _block(working, blocks, server)
    return {
        "bench": "two_controllers",
        "calls_per_s_one": round(median(one.calls_per_s), 1),
        "calls_per_s_two": round(median(two.calls_per_s), 1),
        "ratio": round(ratio_by_rounds(two.calls_per_s, one.calls_per_s) / 2, 3),
        "cpu_ms_per_call_one": round(median(one.cpu_ms), 3),
        "cpu_ms_per_call_two": round(median(two.cpu_ms), 3),
        "database_ms_per_call_one": round(median(one.database_ms), 3),
        "database_ms_per_call_two": round(median(two.database_ms), 3),
        "faults": one.faults | two.faults,
        "load_average": round(os.getloadavg()[0], 1),
    }


async def _block(houses: Sequence[FakeHouse], blocks: Blocks, server: RunningPostgresql) -> None:
    before = database_seconds(server)
    busy = await asyncio.gather(*(saturate(house.side, _UNDER_WAY, _SECONDS, _AT_MOST) for house in houses))
    used = database_seconds(server) - before
    rate = sum(its.calls_per_s for its in busy)
    blocks.calls_per_s.append(rate)
    blocks.cpu_ms.append(sum(its.cpu_ms["controller"] * its.calls_per_s for its in busy) / rate)
    blocks.database_ms.append(1000 * used / sum(its.calls for its in busy))
    for its in busy:
        blocks.faults |= its.faults
        print(f"{len(houses)} working: {its}", file=sys.stderr, flush=True)


def main() -> None:
    with running_postgresql(durable=True) as server:
        print(json.dumps(uvloop.run(measure(server))))


if __name__ == "__main__":
    main()

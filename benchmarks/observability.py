"""What it costs to look: everything on against nothing, in calls that are otherwise the same.

Prints one JSON line.

On: metrics counted and scraped, a trace of every call exported, a JSON log line for whatever happens. Off:
none of it; the log has warnings alone. Two controllers, each on an Asterisk of its own, are asked by turns,
at an even rate for the processor time of a call, then for as much as they can do.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import aiohttp
import uvloop
from aiohttp import web

from benchmarks.load import run, saturate
from benchmarks.product import Product, Use, product
from benchmarks.services import NOTIFICATION
from benchmarks.usage import ratio_by_rounds
from controller.settings import MetricSettings, TraceSettings
from testbed.asterisk import obtain_asterisk

_RATE, _SECONDS = 50.0, 16.0
"""Long enough for some batches of spans: those of the last seconds are sent when a block is over."""
_ROUNDS = 6
_FULL_ROUNDS = 6
_UNDER_WAY, _AT_MOST = 480, 2000.0
_FULL_SECONDS = 12.0
_SCRAPE_EVERY = 5.0


@dataclass
class Cost:
    """Processor time a call, in milliseconds, block by block."""

    controller: list[float] = field(default_factory=list)
    asterisk: list[float] = field(default_factory=list)
    calls_per_s: list[float] = field(default_factory=list)
    faults: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, rate: float, cpu_ms: Mapping[str, float], faults: Mapping[str, float]) -> None:
        """Take in a block of this side."""
        self.calls_per_s.append(rate)
        self.controller.append(cpu_ms["controller"])
        self.asterisk.append(cpu_ms["asterisk"])
        self.faults |= {f"{name}: {what}": much for what, much in faults.items()}

    @property
    def by_asterisk(self) -> float:
        """The controller's time in units of Asterisk's in the same block: a machine's speed changes."""
        return median(ours / its for ours, its in zip(self.controller, self.asterisk, strict=True))


class Collector:
    """Takes traces over OTLP and counts them by their bytes."""

    def __init__(self) -> None:
        self.url = ""
        self.exports = 0
        self.bytes = 0

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator["Collector"]:
        collector = cls()
        application = web.Application(client_max_size=64 * 2**20)
        application.router.add_post("/v1/traces", collector._take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            collector.url = "http://{}:{}/v1/traces".format(*runner.addresses[0][:2])
            yield collector
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        self.exports += 1
        self.bytes += len(await request.read())
        return web.Response()


async def measure(directory: Path) -> dict[str, object]:
    """All figures."""
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    costs, most = ({"off": Cost(), "on": Cost()} for _ in range(2))
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(Collector.start())
        sides: dict[str, Product] = {}
        for name, command, sections in (
            ("off", "benchmarks.silent", {"metrics": MetricSettings(enabled=False)}),
            ("on", "controller", {"traces": TraceSettings(endpoint=collector.url)}),
        ):
            started = product(
                directory / name, program, [Use(NOTIFICATION)], sections=sections, command=command
            )
            (sides[name],) = await stack.enter_async_context(started)
        scraping = asyncio.create_task(_scrape(sides["on"].url))
        stack.callback(scraping.cancel)
        for side in sides.values():
            await run(side, _RATE, _SECONDS)
        for number in range(_ROUNDS):
            for name in _in_turn(sides, number):
                trial = await run(sides[name], _RATE, _SECONDS)
                print(f"{name:4}{trial}", file=sys.stderr, flush=True)
                costs[name].add(name, trial.rate, trial.cpu_ms, trial.faults)
        for number in range(_FULL_ROUNDS):
            for name in _in_turn(sides, number):
                busy = await saturate(sides[name], _UNDER_WAY, _FULL_SECONDS, _AT_MOST)
                print(f"{name:4}{busy}", file=sys.stderr, flush=True)
                most[name].add(name, busy.calls_per_s, busy.cpu_ms, busy.faults)
        if scraping.done():
            scraping.result()
    off, on = costs["off"], costs["on"]
    off_most, on_most = most["off"], most["on"]
    return {
        "bench": "observability",
        "calls_per_s": _RATE,
        "cpu_ms_per_call_off": round(median(off.controller), 3),
        "cpu_ms_per_call_on": round(median(on.controller), 3),
        "asterisk_cpu_ms_per_call": round(median(off.asterisk + on.asterisk), 2),
        "overhead": _overhead(off, on),
        "overhead_of_controller": round(1 - off.by_asterisk / on.by_asterisk, 4),
        "most_calls_per_s_off": round(median(off_most.calls_per_s), 1),
        "most_calls_per_s_on": round(median(on_most.calls_per_s), 1),
        "lost_at_most": round(1 - ratio_by_rounds(on_most.calls_per_s, off_most.calls_per_s), 4),
        "overhead_at_most": _overhead(off_most, on_most),
        "trace_bytes": collector.bytes,
        "faults": off.faults | on.faults | off_most.faults | on_most.faults,
        "load_average": round(os.getloadavg()[0], 1),
    }


def _overhead(off: Cost, on: Cost) -> float:
    """Share of the calls that is lost where controller and Asterisk share a machine."""
    return round(1 - (1 + off.by_asterisk) / (1 + on.by_asterisk), 4)


def _in_turn(sides: Iterable[str], number: int) -> list[str]:
    """Who is second in one round is first in the next."""
    return list(sides)[:: 1 if number % 2 else -1]


async def _scrape(url: str) -> None:
    async with aiohttp.ClientSession(url) as http:
        while True:
            async with http.get("/metrics") as answer:
                answer.raise_for_status()
                await answer.read()
            await asyncio.sleep(_SCRAPE_EVERY)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vc-observability-") as temporary:
        print(json.dumps(uvloop.run(measure(Path(temporary)))))

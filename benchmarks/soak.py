"""Half of what the machine can do, for long: does anything grow that should not?

`python -m benchmarks.soak --minutes 30 --out var/soak` prints one JSON line and keeps the curve as
`soak.csv` in that folder. docs/benchmarks.md says how to read them.
"""

import argparse
import asyncio
import csv
import json
import re
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median

import aiohttp
import uvloop

from benchmarks.load import likely_rate, run, until
from benchmarks.product import Product, Use, product
from benchmarks.services import SERVICES
from benchmarks.usage import Usage, children
from testbed.asterisk import obtain_asterisk

_SHARE = 0.5
_ROUND = 20.0
"""Seconds of load that are made ready at once; their signatures are good for minutes."""
_SAMPLE_EVERY = 5.0
_SETTLING = 20.0
"""Seconds after the last request in which all must be over, pushes and files too."""

_LEFT = {
    "live_calls": "select count(*) from call where ended_at is null",
    "cdrs_waiting": "select count(*) from cdr_push where delivered_at is null and filed_at is null",
    "statuses_waiting": "select count(*) from call_push where given_up_at is null",
    "recordings_waiting": "select count(*) from recording where state in ('pending', 'fetched', 'discard')",
    # Housekeeping comes every ten minutes.
    "nonces_expired": "select count(*) from used_nonce where expires_at < datetime('now', '-11 minutes')",
}
"""Rows that should have gone, or be few."""


@dataclass(frozen=True)
class Sample:
    """What there is at a moment; memory in MB, resident."""

    seconds: float
    calls: int
    controller_mb: float
    controller_files: int
    controller_threads: int
    tasks: int
    synthesiser_mb: float
    asterisk_mb: float
    asterisk_files: int
    live_calls: int
    cdrs_waiting: int
    statuses_waiting: int
    recordings_waiting: int
    nonces_expired: int


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * 4096 / 1e6, 2)


async def _sample(side: Product, began: float, calls: int) -> Sample:
    controller, asterisk = side.processes()["controller"][0], side.processes()["asterisk"][0]
    async with aiohttp.ClientSession(side.url) as http, http.get("/metrics") as answer:
        tasks = re.search(r"^voicecall_tasks (\S+)", await answer.text(), re.MULTILINE)
    path = side.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as database:
        rows = {name: database.execute(query).fetchone()[0] for name, query in _LEFT.items()}
    return Sample(
        seconds=round(time.monotonic() - began, 1),
        calls=calls,
        controller_mb=_resident(controller),
        controller_files=len(list(Path(f"/proc/{controller}/fd").iterdir())),
        controller_threads=len(list(Path(f"/proc/{controller}/task").iterdir())),
        tasks=int(float(tasks[1])) if tasks else -1,
        synthesiser_mb=round(sum(_resident(child) for child in children(controller)), 2),
        asterisk_mb=_resident(asterisk),
        asterisk_files=len(list(Path(f"/proc/{asterisk}/fd").iterdir())),
        **rows,
    )


class _Soak:
    """All services at once, each with its part of half the rate that it may reach alone."""

    def __init__(self, sides: Sequence[Product], rates: Sequence[float]) -> None:
        self._sides = sides
        self._rates = rates
        self.asked = 0
        self.samples: list[Sample] = []

    async def load(self, seconds: float) -> None:
        watching = asyncio.create_task(self._watch(time.monotonic()))
        end = time.monotonic() + seconds
        try:
            while (left := end - time.monotonic()) > 1:
                span = min(_ROUND, left)
                await asyncio.gather(
                    *(
                        self._ask(side, rate, round(rate * span))
                        for side, rate in zip(self._sides, self._rates, strict=True)
                    )
                )
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _ask(self, side: Product, rate: float, calls: int) -> None:
        side.prepare(calls)
        began = time.monotonic()
        for call in range(calls):
            await asyncio.sleep(max(0.0, began + call / rate - time.monotonic()))
            side.ask(call)
            self.asked += 1

    async def _watch(self, began: float) -> None:
        while True:
            self.samples.append(await _sample(self._sides[0], began, self.asked))
            await asyncio.sleep(_SAMPLE_EVERY)


def _third(samples: Sequence[Sample], number: int, name: str) -> float:
    begin, end = (len(samples) * part // 3 for part in (number, number + 1))
    return float(median(getattr(sample, name) for sample in samples[begin:end]))


async def measure(minutes: float, out: Path, directory: Path) -> dict[str, object]:
    """All figures; the curve is written to `out`."""
    uses = [Use(service) for service in SERVICES.values()]
    async with product(directory / "product", obtain_asterisk(), uses) as sides:
        rates = []
        for side in sides:
            rates.append(await likely_rate(side) * _SHARE / len(sides))
            # What is made once, such as connections and threads, is there then.
            await run(side, rates[-1], 5.0)
        before = [dict(side.faults()) for side in sides]
        over_before = sum(side.over() for side in sides)
        cdrs_before = sum(side.left_behind()["cdrs"][0] for side in sides)
        roles = sides[0].processes()
        usage, began = Usage.now(roles), time.monotonic()
        soak = _Soak(sides, rates)
        await soak.load(60 * minutes)
        used, elapsed = Usage.now(roles).since(usage), time.monotonic() - began
        await until(lambda: sum(side.over() for side in sides) - over_before >= soak.asked, _SETTLING)
        await until(
            lambda: sum(side.left_behind()["cdrs"][0] for side in sides) - cdrs_before >= soak.asked, 5
        )
        await asyncio.sleep(1)
        last = await _sample(sides[0], began, soak.asked)
        out.mkdir(parents=True, exist_ok=True)
        with (out / "soak.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            names = [field.name for field in fields(Sample)]
            writer.writerow(names)
            writer.writerows([getattr(sample, name) for name in names] for sample in [*soak.samples, last])
        faults = {
            f"{service} {name}": much - old[name]
            for service, side, old in zip(SERVICES, sides, before, strict=True)
            for name, much in side.faults().items()
            if much != old[name]
        }
        middle_calls = soak.samples[len(soak.samples) // 2].calls
        last_calls = soak.samples[len(soak.samples) * 5 // 6].calls
        grown = _third(soak.samples, 2, "controller_mb") - _third(soak.samples, 1, "controller_mb")
        return {
            "bench": "soak",
            "minutes": minutes,
            "calls_per_second": round(sum(rates), 1),
            "calls": soak.asked,
            "cdrs": sum(side.left_behind()["cdrs"][0] for side in sides) - cdrs_before,
            "faults": faults,
            **{
                f"{name}_thirds": [_third(soak.samples, number, name) for number in range(3)]
                for name in (
                    "controller_mb",
                    "asterisk_mb",
                    "tasks",
                    "controller_files",
                    "controller_threads",
                    "asterisk_files",
                )
            },
            "controller_kb_per_1000_calls": round(1e6 * grown / max(1, last_calls - middle_calls), 1),
            "left": {name: getattr(last, name) for name in _LEFT},
            "tasks_after": last.tasks,
            "files_after": last.controller_files,
            "cpu_of_controller": round(used.roles["controller"] / elapsed, 3),
        }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--out", type=Path, default=Path("var/soak"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vc-bench-") as directory:
        print(json.dumps(uvloop.run(measure(asked.minutes, asked.out, Path(directory)))))
    print(f"the curve: {asked.out / 'soak.csv'}", file=sys.stderr)


if __name__ == "__main__":
    main()

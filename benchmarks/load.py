"""Load at a given rate, and the search for the highest rate without failures."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

TRIAL_SECONDS = 6.0
OVER_WITHIN = 3.0
"""Seconds from the last request in which all calls must be over: their prompt of 1 s, and no backlog."""

CDRS_WITHIN = 4.0
"""Seconds from the end of the calls in which their CDRs must be there: they gather for up to 2."""

_STEP_UP = 1.3
_REFINEMENTS = 2


@dataclass
class Trial:
    """One stretch of load."""

    rate: float
    calls: int
    failures: int
    seconds: float
    """From the first request to the end of the last call."""
    cpu_ms_per_call: float = 0.0
    asterisk_cpu_ms_per_call: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.failures == 0


Run = Callable[[float, int], Awaitable[Trial]]


async def pace(rate: float, calls: int, start_one: Callable[[int], Awaitable[None]]) -> None:
    """Start `calls` calls at `rate` a second, whatever becomes of them; returns when all are asked for."""
    began = time.perf_counter()
    tasks = []
    for index in range(calls):
        ahead = began + index / rate - time.perf_counter()
        if ahead > 0:
            await asyncio.sleep(ahead)
        tasks.append(asyncio.create_task(start_one(index)))  # type: ignore[arg-type]
    await asyncio.gather(*tasks)


async def until(done: Callable[[], bool], time_limit: float) -> bool:
    """Wait for counters that others count; True if it was in time."""
    deadline = time.perf_counter() + time_limit
    while not done():
        if time.perf_counter() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def highest_rate(run: Run, first: float, report: Callable[[Trial], None]) -> Trial:
    """The best trial without failures: rates rise by steps until one fails, then the gap is halved."""
    best: Trial | None = None
    rate, failed = first, None
    while failed is None:
        trial = await run(rate, round(rate * TRIAL_SECONDS))
        report(trial)
        if trial.passed:
            best, rate = trial, rate * _STEP_UP
        else:
            failed = rate
    if best is None:
        raise RuntimeError(f"not even {first} calls a second work without failures")
    for _ in range(_REFINEMENTS):
        middle = (best.rate + failed) / 2
        trial = await run(middle, round(middle * TRIAL_SECONDS))
        report(trial)
        if trial.passed:
            best = trial
        else:
            failed = middle
    return best


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

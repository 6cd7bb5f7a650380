"""A stretch of load, what is wrong with it, and the search for the highest rate at which nothing is."""

import asyncio
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

from benchmarks.usage import CORES, Usage

_TRIAL_SECONDS = 9.0
_SAMPLE_EVERY = 0.1
_GROWTH = 0.1
"""Seconds by which calls may take longer in the last third of a trial than in the middle one."""

_LATE = 0.1
"""Seconds by which the requests themselves may come too late."""

_OVER_WITHIN = 5.0
"""Seconds from the last request in which all calls must be over."""

_COMPLETE_WITHIN = 4.0
"""Seconds from the end of the calls in which their pushes must be there: CDRs gather for up to 2."""

_SETTLE_STEP, _SETTLE_STEPS = 3.0, 7
"""What is late gets time before the next trial: so many seconds so many times, as long as something comes."""

_SHORT_RATE, _SHORT_SECONDS = 50.0, 4.0
_LOOK_EVERY = 0.005
_STEP = 1.25
_CLOSE_ENOUGH = 1.04
_LOWEST_RATE = 5.0


class Side(ABC):
    """Who is under load. What it counts runs on from trial to trial."""

    name: str

    @abstractmethod
    def processes(self) -> Mapping[str, Sequence[int]]:
        """Role -> ids of its processes, now."""

    @abstractmethod
    def prepare(self, calls: int) -> None:
        """Make everything ready that can be made before the load begins."""

    @abstractmethod
    def ask(self, call: int) -> None:
        """Ask for a call, without waiting for it."""

    @abstractmethod
    def over(self) -> int:
        """Calls that have ended."""

    @abstractmethod
    def faults(self) -> Mapping[str, int]:
        """What went wrong: name -> how often."""

    def left_behind(self) -> Mapping[str, tuple[int, int]]:
        """What calls leave behind: name -> (how many there are, how many belong to one call)."""
        return {}


@dataclass(frozen=True)
class Trial:
    """One stretch of load."""

    rate: float
    calls: int
    faults: Mapping[str, float]
    """What was wrong: name -> how much; empty if nothing was."""
    call_seconds: float
    """From the request to the end of a call, in the last third of the trial."""
    cpu_ms: Mapping[str, float]
    """Role -> processor time a call, in milliseconds."""
    others: float
    """Share of the machine that went to strangers."""
    counts: Mapping[str, int]

    @property
    def passed(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        verdict = ", ".join(f"{name} {much:g}" for name, much in self.faults.items()) or "ok"
        cpu = ", ".join(f"{role} {used:.2f}" for role, used in self.cpu_ms.items())
        return (
            f"{self.rate:6.1f} calls/s: {verdict} ({self.calls} calls of {self.call_seconds:.2f} s; "
            f"CPU ms a call: {cpu}; others {self.others:.0%} of the machine)"
        )


async def run(side: Side, rate: float, seconds: float = _TRIAL_SECONDS) -> Trial:
    """Ask for calls at `rate` a second for some seconds, and wait for their end."""
    calls = round(rate * seconds)
    side.prepare(calls)
    roles = {**side.processes(), "harness": [os.getpid()]}
    faults, usage = side.faults(), Usage.now(roles)
    began = perf_counter()
    stretch = _Stretch(side, calls)
    late = await stretch.ask_for_all(rate)
    await until(lambda: stretch.over() >= calls, _OVER_WITHIN)
    unfinished = calls - stretch.over()
    missing = await stretch.missing()
    used = Usage.now(roles).since(usage)
    elapsed = perf_counter() - began
    middle, last = stretch.call_seconds(rate, 1), stretch.call_seconds(rate, 2)
    found = {
        "unfinished": unfinished,
        "seconds slower": round(last - middle, 2) if last - middle > _GROWTH else 0,
        "seconds late": round(late, 2) if late > _LATE else 0,
        **{f"missing {name}": much for name, much in missing.items()},
        **{name: much - faults[name] for name, much in side.faults().items()},
    }
    await stretch.settle()
    return Trial(
        rate,
        calls,
        faults={name: much for name, much in found.items() if much},
        call_seconds=last,
        cpu_ms={role: 1000 * much / calls for role, much in used.roles.items()},
        others=used.others / (elapsed * CORES),
        counts={name: calls * each - missing[name] for name, (_, each) in side.left_behind().items()},
    )


class _Stretch:
    """The calls of one trial."""

    def __init__(self, side: Side, calls: int) -> None:
        self._side = side
        self._calls = calls
        self._asked = 0
        self._over_before = side.over()
        self._there = side.left_behind()
        self._samples: list[tuple[int, int]] = []

    def over(self) -> int:
        return self._side.over() - self._over_before

    async def ask_for_all(self, rate: float) -> float:
        """Ask at an even pace, whatever becomes of the calls; returns how late the last request was."""
        began = perf_counter()
        watching = asyncio.create_task(self._watch())
        for call in range(self._calls):
            ahead = began + call / rate - perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
            self._side.ask(call)
            self._asked = call + 1
        watching.cancel()
        return perf_counter() - began - (self._calls - 1) / rate

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_SAMPLE_EVERY)
            self._samples.append((self._asked, self._asked - self.over()))

    def call_seconds(self, rate: float, third: int) -> float:
        """How long calls take in a third (0 to 2) of the trial: calls under way, by calls a second."""
        begin, end = (self._calls * part / 3 for part in (third, third + 1))
        under_way = [count for asked, count in self._samples if begin < asked <= end]
        return sum(under_way) / len(under_way) / rate if under_way else math.inf

    async def missing(self) -> dict[str, int]:
        """Wait for what the calls leave behind; returns what has not come."""
        return await _missing(self._lacking)

    async def settle(self) -> None:
        """Wait for what is late, so that the next trial doesn't count it."""
        for _ in range(_SETTLE_STEPS):
            before = self._outstanding()
            await until(lambda: not any(self._outstanding()), _SETTLE_STEP)
            if self._outstanding() == before or not any(self._outstanding()):
                return

    def _outstanding(self) -> list[int]:
        return [self._calls - self.over(), *self._lacking().values()]

    def _lacking(self) -> dict[str, int]:
        return _lacking(self._side, self._there, self._calls)


def _lacking(side: Side, before: Mapping[str, tuple[int, int]], calls: int) -> dict[str, int]:
    """What so many calls should have left behind since `before`, and is not there."""
    now = side.left_behind()
    return {name: there + calls * each - now[name][0] for name, (there, each) in before.items()}


async def _missing(lacking: Callable[[], dict[str, int]]) -> dict[str, int]:
    await until(lambda: not any(lacking().values()), _COMPLETE_WITHIN)
    return lacking()


async def until(done: Callable[[], bool], time_limit: float) -> None:
    """Wait for counters that others count, no longer than the time limit in seconds."""
    deadline = perf_counter() + time_limit
    while not done():
        if perf_counter() > deadline:
            return
        await asyncio.sleep(_SAMPLE_EVERY)


@dataclass(frozen=True)
class Saturation:
    """What a side does when there is always something to do."""

    calls: int
    """All that were made, also before it was counted."""
    calls_per_s: float
    cpu_ms: Mapping[str, float]
    """Role -> processor time a call, in milliseconds."""
    faults: Mapping[str, int]

    def __str__(self) -> str:
        cpu = ", ".join(f"{role} {used:.2f}" for role, used in self.cpu_ms.items())
        wrong = ", ".join(f"{name} {much}" for name, much in self.faults.items()) or "ok"
        return f"{self.calls_per_s:6.1f} calls/s at most: {wrong} (CPU ms a call: {cpu})"


async def saturate(side: Side, under_way: int, seconds: float, at_most: float) -> Saturation:
    """Keep so many calls under way for some seconds: a closed loop, `at_most` so many requests a second.

    The first third is for getting there and not counted.
    """
    side.prepare(round(at_most * seconds))
    roles = side.processes()
    faults, over_before, there, asked = side.faults(), side.over(), side.left_behind(), 0
    began = counting_since = perf_counter()
    counted_from, usage = -1, Usage.now(roles)
    while (elapsed := perf_counter() - began) < seconds:
        if counted_from < 0 and elapsed >= seconds / 3:
            counted_from, usage, counting_since = side.over(), Usage.now(roles), perf_counter()
        wanted = min(under_way + side.over() - over_before, round(at_most * elapsed))
        for call in range(asked, wanted):
            side.ask(call)
        asked = max(asked, wanted)
        await asyncio.sleep(_LOOK_EVERY)
    calls, took = side.over() - counted_from, perf_counter() - counting_since
    used = Usage.now(roles).since(usage)
    await until(lambda: side.over() - over_before >= asked, _OVER_WITHIN)
    unfinished = asked - (side.over() - over_before)
    missing = await _missing(lambda: _lacking(side, there, asked))
    found = {"unfinished": unfinished, **{f"missing {name}": much for name, much in missing.items()}}
    found |= {name: much - faults[name] for name, much in side.faults().items()}
    return Saturation(
        asked,
        calls / took,
        {role: 1000 * much / max(calls, 1) for role, much in used.roles.items()},
        {name: much for name, much in found.items() if much},
    )


class Search:
    """Looks for the highest rate without faults: by steps until one rate passes and a higher one does not,
    then between the two."""

    def __init__(self, first_rate: float) -> None:
        self.rate = first_rate
        self.best: Trial | None = None
        self._failed: float | None = None

    @property
    def done(self) -> bool:
        return self.best is not None and (
            self._failed is not None and self._failed <= self.best.rate * _CLOSE_ENOUGH
        )

    def learn(self, trial: Trial) -> None:
        """Take in what a trial at `rate` has shown, and choose the next rate."""
        if trial.passed:
            self.best = trial
        else:
            self._failed = trial.rate
        if self.best is None:
            self.rate = trial.rate / _STEP
        elif self._failed is None:
            self.rate = trial.rate * _STEP
        else:
            self.rate = (self.best.rate + self._failed) / 2
        if self.rate < _LOWEST_RATE:
            raise RuntimeError(f"not even {trial.rate:.1f} calls a second work without faults: {trial}")


async def likely_rate(side: Side, *, apart: bool = False) -> float:
    """Where to begin: most of what the machine could do at the processor time a call of a short trial.

    `apart`: Asterisk has one core, everything else the others. What begins far above what it can do may
    never be seen to work: Asterisk does not get over so many calls for minutes.
    """
    spent = (await run(side, _SHORT_RATE, _SHORT_SECONDS)).cpu_ms
    together = sum(spent.values())
    busiest = (
        max(spent["asterisk"], (together - spent["asterisk"]) / (CORES - 1)) if apart else together / CORES
    )
    return 0.9 * 1000 / busiest


def milliseconds(name: str, delays: Sequence[float]) -> dict[str, float]:
    """The keys `name`_ms_p50 and `name`_ms_p99 of delays in seconds."""
    ordered = sorted(delays)
    return {
        f"{name}_ms_p{percent}": round(1000 * ordered[len(ordered) * percent // 100], 1)
        for percent in (50, 99)
    }

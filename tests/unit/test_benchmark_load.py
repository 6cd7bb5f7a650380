"""The rules by which a rate counts as reached."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from benchmarks.load import Search, Side, Trial, run, saturate

pytestmark = pytest.mark.virtual_time
RATE, SECONDS = 100.0, 1.2


@pytest.fixture
async def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials are timed by the loop."""
    monkeypatch.setattr("benchmarks.load.perf_counter", asyncio.get_running_loop().time)


class Pretended(Side):
    """Calls last `lasting` seconds and go through one door that lets `capacity` of them end a second."""

    name = "pretended"

    def __init__(self, capacity: float, lasting: float = 0.2, loses: int = 0) -> None:
        self._gap = 1 / capacity
        self._lasting = lasting
        self._loses = loses
        self._over = 0
        self._door_free = 0.0

    def processes(self) -> Mapping[str, Sequence[int]]:
        return {}

    def prepare(self, calls: int) -> None:
        self._calls = calls

    def ask(self, call: int) -> None:
        loop = asyncio.get_running_loop()
        self._door_free = max(self._door_free, loop.time() + self._lasting) + self._gap
        loop.call_at(self._door_free, self._end)

    def _end(self) -> None:
        self._over += 1

    def over(self) -> int:
        return self._over

    def faults(self) -> Mapping[str, int]:
        return {"refused": 0}

    def left_behind(self) -> Mapping[str, tuple[int, int]]:
        return {"cdrs": (max(self._over - self._loses, 0), 1)}


@pytest.mark.usefixtures("own_clock")
async def test_given_a_side_that_keeps_up_when_a_trial_is_run_then_nothing_is_wrong() -> None:
    trial = await run(Pretended(capacity=1000), RATE, SECONDS)
    assert trial.passed, trial
    assert trial.call_seconds == pytest.approx(0.2, abs=0.06)
    assert trial.counts == {"cdrs": 120}


@pytest.mark.usefixtures("own_clock")
async def test_given_a_side_that_falls_behind_when_a_trial_is_run_then_it_fails_though_all_calls_end() -> (
    None
):
    trial = await run(Pretended(capacity=60), RATE, SECONDS)
    assert list(trial.faults) == ["seconds slower"]


@pytest.mark.usefixtures("own_clock")
async def test_given_a_side_that_loses_cdrs_when_a_trial_is_run_then_their_number_is_told() -> None:
    trial = await run(Pretended(capacity=1000, loses=3), RATE, SECONDS)
    assert trial.faults == {"missing cdrs": 3}
    assert trial.counts == {"cdrs": 117}


@pytest.mark.usefixtures("own_clock")
async def test_given_more_calls_under_way_than_a_side_can_end_when_saturated_then_its_capacity_is_found() -> (
    None
):
    found = await saturate(Pretended(capacity=100), under_way=50, seconds=3, at_most=400)
    assert found.calls_per_s == pytest.approx(100, rel=0.02)
    assert found.faults == {}


@pytest.mark.usefixtures("own_clock")
async def test_given_a_side_that_could_do_more_when_saturated_then_it_is_not_asked_for_more_than_agreed() -> (
    None
):
    side = Pretended(capacity=1000, lasting=0.1)
    found = await saturate(side, under_way=500, seconds=3, at_most=150)
    assert found.calls_per_s == pytest.approx(150, rel=0.02)
    assert side.over() <= 450


@pytest.mark.parametrize("first", [10.0, 90.0, 300.0])
def test_given_a_limit_when_searched_for_then_the_rate_found_is_close_below_it(first: float) -> None:
    limit, search = 100.0, Search(first)
    while not search.done:
        search.learn(_trial(search.rate, passed=search.rate <= limit))
    assert search.best is not None
    assert 0.93 * limit < search.best.rate <= limit


def test_given_a_side_that_never_works_when_searched_then_it_gives_up_and_says_why() -> None:
    search = Search(50.0)
    with pytest.raises(RuntimeError, match="refused 7"):
        while not search.done:
            search.learn(_trial(search.rate, passed=False))


def _trial(rate: float, *, passed: bool) -> Trial:
    return Trial(rate, 1, {} if passed else {"refused": 7}, 1.0, {}, 0.0, {})

"""Thousands of worlds, each with its own calls and its own trouble."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.simulation import prepared, simulate

WORLDS, AT_ONCE = 2000, 50


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    if os.environ.get("PYTHONHASHSEED") != "0":
        pytest.fail("sets are walked the same way every time with PYTHONHASHSEED=0 alone: `make simulation`")
    with prepared() as path:
        yield path


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("first", range(0, WORLDS, AT_ONCE))
def test_E4_given_any_trouble_when_it_is_over_then_every_call_has_come_to_one_end(
    first: int, template: Path
) -> None:
    results = [simulate(seed, template) for seed in range(first, first + AT_ONCE)]

    failed = [f"{result.replay}: {result.wrong}" for result in results if result.wrong]
    assert not failed, "\n".join(failed)
    assert sum(result.calls for result in results) > AT_ONCE
    assert sum(len(result.faults) for result in results) > AT_ONCE / 2


@pytest.mark.parametrize("seed", [7, 46, 182])
def test_given_a_seed_when_run_by_two_processes_then_the_same_happens_to_the_last_event(seed: int) -> None:
    command = [sys.executable, "-m", "tests.simulation", "--seed", str(seed), "--trace"]

    first, second = (subprocess.run(command, check=False, capture_output=True, text=True) for _ in range(2))

    traces = [_without_the_time_of_log_lines(run.stdout) for run in (first, second)]
    assert "trace " in traces[0], first.stderr
    assert traces[0] == traces[1]


def test_given_two_seeds_when_run_then_different_things_happen(template: Path) -> None:
    assert simulate(1, template).digest != simulate(2, template).digest


def _without_the_time_of_log_lines(output: str) -> str:
    return "\n".join(line for line in output.splitlines() if not line.startswith('{"time"'))

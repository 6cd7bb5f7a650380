"""A short random run; `make crash-random` makes longer ones."""

import pytest

from tests.crash.conftest import StartWorld
from tests.crash.random_run import run

SEED = 1


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("faults", [20, pytest.param(60, marks=pytest.mark.long)])
async def test_E4_given_load_when_faults_strike_at_random_then_nothing_is_lost(
    world: StartWorld, faults: int
) -> None:
    result = await run(await world(), SEED, faults)

    assert result.wrong == [], f"again: make crash-random SEED={SEED} FAULTS={faults}"
    assert (result.faults.total(), result.cdrs_found) == (faults, result.cdrs_expected)
    assert result.accepted > faults

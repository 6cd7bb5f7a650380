"""The crash matrix: `matrix` states it."""

import pytest

from tests.crash.conftest import StartWorld
from tests.crash.matrix import ROWS, Row, play


@pytest.mark.requirement("E4")
@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name, marks=[] if row.soon else [pytest.mark.long]) for row in ROWS]
)
async def test_E4_given_calls_of_every_service_at_every_stage_when_a_fault_strikes_then_nothing_is_lost(
    world: StartWorld, row: Row
) -> None:
    assert await play(await world(row.needs), row) == []

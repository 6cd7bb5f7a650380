"""Whether calls can be taken: what each part of the answer depends on."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from controller.serving import readiness
from controller.store.database import Database


@pytest.mark.requirement("E2", "E3")
@pytest.mark.parametrize("may_act", [True, False])
async def test_given_a_database_that_is_read_and_takes_nothing_when_asked_then_no_calls_can_be_taken(
    database: Database, may_act: bool
) -> None:
    fleet = cast(Any, SimpleNamespace(takes_calls=True, trunks_in_force=True))
    calls = cast(Any, SimpleNamespace(draining=False))
    found = await readiness(fleet, database, calls, lambda: may_act)

    assert found.is_ready is may_act
    assert dict(found.parts) == {"database": may_act, "node": True, "trunks": True, "controller": True}

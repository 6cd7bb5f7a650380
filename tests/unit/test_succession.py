"""Going on with what another controller has left."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy.exc import OperationalError

from controller import succession
from controller.clock import SystemClock
from controller.store.controllers import Estate

AWAY = OperationalError("SELECT", None, Exception("the server is starting up"))


class House:
    """Nodes, their recovery and pushes; the first times that the database is asked it is away."""

    def __init__(self, away: int) -> None:
        self.away = away
        self.did: list[str] = []
        self.first = self
        self.name = "node1"
        self.names = {"node1"}

    def adopt(self, behind: tuple[str, ...], now: datetime) -> None:
        assert now.tzinfo is UTC
        self.did.append(f"adopt {behind[0]}")

    async def announce(self) -> None:
        self.did.append("announce")

    async def close_elsewhere(self, known: set[str]) -> None:
        self._ask()
        self.did.append(f"close elsewhere than {known}")

    async def take_over(self, application: str) -> None:
        self._ask()
        self.did.append(f"take over {application}")

    def _ask(self) -> None:
        if self.away:
            self.away -= 1
            raise AWAY


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("away", [0, 1, 3])
async def test_E2_given_a_database_that_is_away_when_an_estate_is_gone_on_with_then_it_is_when_it_is_back(
    away: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession, "_PAUSE", 0.0)
    house = cast(Any, House(away))
    estate = Estate("a", "voicecall-a", frozenset({"node1"}), ("live",), ("live",))

    await succession.take_over(
        estate, fleet=house, recoveries={"node1": house}, pushes=house, clock=SystemClock()
    )

    assert house.did[:2] == ["adopt live", "announce"]
    assert house.did[-2:] == ["close elsewhere than {'node1'}", "take over voicecall-a"]
    assert house.did.count("take over voicecall-a") == 1

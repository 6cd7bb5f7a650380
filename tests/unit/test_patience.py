"""How long, and how often, a change of the schema is tried."""

import asyncio

import pytest

from controller import patience
from controller.patience import patiently
from controller.store.errors import DatabaseUnusable, TablesInUse

pytestmark = [pytest.mark.virtual_time, pytest.mark.requirement("E4")]


class Change:
    """Fails of tables in use, so many times; notes when it was tried."""

    def __init__(self, fails: int) -> None:
        self.at: list[float] = []
        self._fails = fails
        self._loop = asyncio.get_running_loop()

    def __call__(self) -> None:
        self.at.append(self._loop.time())
        if len(self.at) <= self._fails:
            raise TablesInUse("tables are in use by pg_dump")


@pytest.fixture(autouse=True)
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(patience, "say", lambda text, _level: lines.append(text))
    return lines


async def test_E4_given_tables_in_use_when_they_are_free_again_then_the_change_is_made_at_the_next_try(
    said: list[str],
) -> None:
    change = Change(2)

    await patiently(change)

    assert [round(at / 10) for at in change.at] == [0, 1, 2]
    assert len(said) == 2
    assert "tables are in use by pg_dump. Tried again in 10 s" in said[0]


async def test_E4_given_tables_that_stay_in_use_when_5_minutes_have_passed_then_it_is_given_up(
    said: list[str],
) -> None:
    change = Change(1000)

    with pytest.raises(TablesInUse, match=r"by pg_dump\. .* 5 minutes .* end them \(SELECT pg_terminate"):
        await patiently(change)

    assert len(change.at) == len(said) + 1 == 30
    assert 285 < change.at[-1] < 300


async def test_E4_given_tables_in_use_when_asked_to_end_then_it_does_so_at_once() -> None:
    change, asked = Change(1000), asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_later(3, asked.set)

    with pytest.raises(TablesInUse, match="asked to end while tables are in use by pg_dump"):
        await patiently(change, asked)

    assert len(change.at) == 1
    assert loop.time() == pytest.approx(3)


async def test_given_another_fault_when_a_change_is_tried_then_it_is_not_tried_again(said: list[str]) -> None:
    tried = []

    def change() -> None:
        tried.append(None)
        raise DatabaseUnusable("no server")

    with pytest.raises(DatabaseUnusable, match="no server"):
        await patiently(change)

    assert len(tried) == 1 and said == []

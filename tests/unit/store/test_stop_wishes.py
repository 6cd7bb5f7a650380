"""Calls that another controller was asked to end than the one that has them."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from engine import copy_database, database_at
from unit.store.support import NOW, accept, call_row, end

from controller.calls.wishes import StopWishes
from controller.clock import SystemClock
from controller.store import controllers
from controller.store.database import Database
from controller.store.limits import Limits

pytestmark = pytest.mark.requirement("E2")


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    copy_database(template, tmp_path / "test.db")
    async with Database(database_at(tmp_path / "test.db"), synchronous="NORMAL") as opened:
        yield opened


class Calls:
    """The calls that run here."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.ended: list[str] = []

    def stop(self, session_id: str, _app_key: str) -> bool:
        self.ended.append(session_id)
        return True

    def end(self, call_id: str, _outcome: object) -> bool:
        if call_id in self.running:
            self.ended.append(call_id)
        return call_id in self.running


async def wished_away(database: Database) -> dict[str, Any]:
    """A call of controller b that another one was asked to end."""
    row = call_row(controller="b")
    await accept(database, Limits(1), row)
    wish = partial(controllers.wish_stop, session_id=row["session_id"], app_key=row["app_key"], now=NOW)
    assert await database.write(wish)
    return row


async def test_given_a_call_that_is_being_taken_over_when_it_shall_end_then_it_ends_as_soon_as_it_runs(
    database: Database,
) -> None:
    row = await wished_away(database)
    calls = Calls()
    wishes = StopWishes(database, cast(Any, calls), SystemClock(), "b")

    await wishes._hear()
    calls.running.add(row["id"])
    await wishes._hear()
    calls.running.clear()
    await wishes._hear()

    assert calls.ended == [row["id"]]
    assert await database.read(partial(controllers.stop_wishes, name="b")) == []


async def test_given_a_call_that_has_ended_by_itself_when_it_should_have_been_then_nobody_looks_at_it_again(
    database: Database,
) -> None:
    row = await wished_away(database)
    await end(database, row)

    assert await database.read(partial(controllers.stop_wishes, name="b")) == []


@pytest.mark.engine("postgresql")
async def test_given_a_controller_that_may_have_lost_a_call_when_asked_to_end_it_then_who_has_it_is_asked(
    database: Database,
) -> None:
    row = call_row(controller="b")
    await accept(database, Limits(1), row)
    calls = Calls()
    wishes = StopWishes(database, cast(Any, calls), SystemClock(), "a", lambda: False)

    assert await wishes.stop(row["session_id"], row["app_key"])
    assert not await wishes.stop(f"x{row['session_id']}", row["app_key"])

    assert calls.ended == []
    assert await database.read(partial(controllers.stop_wishes, name="b")) == [row["id"]]

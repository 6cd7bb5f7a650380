"""What one controller at a time may do outside of the database: several take turns at it."""

import asyncio

import pytest
from sqlmodel import Session

from controller.store.database import Database
from controller.store.errors import Fenced, TurnLost

pytestmark = [pytest.mark.requirement("E2"), pytest.mark.engine("postgresql")]


async def test_given_two_controllers_when_one_has_the_turn_then_the_other_waits_and_other_turns_are_free(
    database: Database, database_url: str
) -> None:
    done: list[str] = []

    async def wait_for_it(other: Database) -> None:
        async with other.turn("trunks of a"):
            done.append("second")

    async with Database(database_url) as other:
        async with database.turn("trunks of a") as still_ours:
            waiting = asyncio.create_task(wait_for_it(other))
            async with other.turn("trunks of b"):
                await still_ours()
            done.append("first")
        await waiting

    assert done == ["first", "second"]


async def test_given_a_controller_that_says_nothing_for_long_when_another_waits_then_that_one_has_the_turn(
    database: Database, database_url: str
) -> None:
    async with (
        Database(database_url) as other,
        database.turn("trunks of a") as still_ours,
        other.turn("trunks of a") as others,
    ):
        await others()
        with pytest.raises(TurnLost):
            await still_ours()


async def test_given_one_that_gave_up_waiting_when_the_turn_is_given_back_then_the_next_one_has_it(
    database: Database, database_url: str
) -> None:
    async def wait_for_it(other: Database) -> None:
        async with other.turn("trunks of a"):
            pass

    async with Database(database_url) as other:
        async with database.turn("trunks of a"):
            waiting = asyncio.create_task(wait_for_it(other))
            await asyncio.sleep(0)
            waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        async with database.turn("trunks of a") as still_ours:
            await still_ours()


async def test_given_a_controller_that_was_taken_over_when_it_asks_for_a_turn_then_it_has_none(
    database: Database,
) -> None:
    def fence(_session: Session) -> None:
        raise Fenced("another controller has taken over")

    database.fence = fence

    with pytest.raises(TurnLost):
        async with database.turn("trunks of a"):
            pass

"""Status pushes of calls that a newer version has written down: what this one knows is told."""

import asyncio
from typing import Any

import pytest
from sqlmodel import Session
from unit.pushes.support import Scripted, SetClock
from unit.pushes.test_durable import House, events, house

from controller.calls.timeline import Kind
from controller.store.database import Database
from controller.store.tables import Call, TimelineEntry

pytestmark = [pytest.mark.requirement("B1"), pytest.mark.virtual_time]


async def begun(place: House) -> str:
    """A durable call whose controller went away once it was dialled."""
    call = await place.begin()
    call.tell(Kind.CALLOUT, "a")
    await place.until_rows(1)
    return call.id


async def add_entry(database: Database, call_id: str, sequence: int, kind: str, **detail: Any) -> None:
    def write(session: Session) -> None:
        at = session.get_one(Call, call_id).accepted_at
        own = {"call_id": call_id, "sequence": sequence, "at": at, "kind": kind}
        session.add(TimelineEntry.model_validate({**own, "leg": "a", "detail": detail or None}))

    await database.write(write)


async def until_told(sender: Scripted, wanted: list[str]) -> None:
    async with asyncio.timeout(60):
        while events(sender) != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_given_a_durable_call_with_entries_that_are_not_known_when_told_again_then_the_others_are(
    database: Database,
) -> None:
    clock, sender = SetClock(), Scripted()
    async with house(database, Scripted(), clock, kill=True) as before:
        call_id = await begun(before)
    await add_entry(database, call_id, 2, "whisper", to="a")
    await add_entry(database, call_id, 3, Kind.ANSWER)
    async with house(database, sender, clock):
        await until_told(sender, ["callout", "answer"])


async def test_given_a_durable_call_that_makes_no_sense_when_due_then_it_waits_for_its_version(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    clock, sender = SetClock(), Scripted()
    async with house(database, Scripted(), clock, kill=True) as before:
        call_id = await begun(before)
    await add_entry(database, call_id, 2, Kind.COLLECTED, keys="12")
    async with house(database, sender, clock) as after:
        async with asyncio.timeout(60):
            while (row := (await after.rows())[0]).due_at is None or row.due_at <= clock.now():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert (events(sender), row.given_up_at) == ([], None)
        [record] = [each for each in caplog.records if each.levelname == "ERROR"]
        assert record.call == call_id  # type: ignore[attr-defined]

        def mended(session: Session) -> None:
            session.get_one(TimelineEntry, (call_id, 2)).detail = {"digits": "12"}

        await database.write(mended)
        await after.later(hours=1)
        await until_told(sender, ["callout", "collectInfo"])

"""Calls that a newer version has written down, as in a rolling update: they keep nobody from anything."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select
from unit.calls.support import HOST, House, leave_channel, running_house
from unit.calls.test_left_behind import TALKS, callback, leave

from controller.ari.fake import ANSWERS, FakeAsterisk
from controller.calls.recovery import Recovery
from controller.calls.timeline import Kind
from controller.store.tables import Call, TimelineEntry

pytestmark = pytest.mark.requirement("E4")

LEFT, OTHER = "1202_1_7_20261123070000", "1202_2_7_20261123070000"


def adds_to_plan(session: Session) -> None:
    """A newer version has more to say of voices, and of calls."""
    row = session.get_one(Call, LEFT)
    voice = {"name": "wait.wav", "media": "sound:wait", "seconds": 2.0, "spoken": False, "loudness": -3}
    row.plan = {**(row.plan or {}), "wait_voice": voice, "whispers": True}


def adds_entries(session: Session) -> None:
    """More than what is left out for a crash: their numbers are taken all the same."""
    last = session.execute(
        select(TimelineEntry).where(col(TimelineEntry.call_id) == LEFT).order_by(col(TimelineEntry.sequence))
    ).scalars()
    begin = [entry.sequence for entry in last][-1] + 1
    for sequence in range(begin, begin + 30):
        at = session.get_one(Call, LEFT).accepted_at
        session.add(TimelineEntry(call_id=LEFT, sequence=sequence, at=at, kind="whisper", detail={"to": "a"}))


def has_other_media(session: Session) -> None:
    row = session.get_one(Call, LEFT)
    row.plan = {**(row.plan or {}), "callee_media": "after the first ring"}


def has_other_detail(session: Session) -> None:
    """Of an entry that a record can do without."""
    at = session.get_one(Call, LEFT).accepted_at
    session.add(TimelineEntry(call_id=LEFT, sequence=40, at=at, kind=Kind.COLLECTED, leg="a", detail=None))


def has_another_service(session: Session) -> None:
    session.get_one(Call, LEFT).service = "fax"


async def left_by_a_newer_one(house: House, change: Callable[[Session], None], node: str = "node1") -> None:
    """A callback as a newer version leaves it, and one that says nothing new, on this controller's node."""
    await leave(house, LEFT, callback(max_minutes=10), *TALKS)
    await leave(house, OTHER, callback(), *TALKS)

    def write(session: Session) -> None:
        session.get_one(Call, LEFT).node = node
        change(session)

    await house.database.write(write)


def said_of(caplog: pytest.LogCaptureFixture, level: str) -> list[Any]:
    """The calls that the log names at a level."""
    return [getattr(record, "call", None) for record in caplog.records if record.levelname == level]


@pytest.mark.parametrize("change", [adds_to_plan, adds_entries])
async def test_given_a_call_of_which_more_is_written_than_is_known_when_started_then_it_is_closed_as_others(
    asterisk: FakeAsterisk,
    template: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Session], None],
) -> None:
    prepare = partial(left_by_a_newer_one, change=change)
    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        for call_id in (LEFT, OTHER):
            await house.told.until(f"{call_id}@{HOST}", Kind.DISCONNECT)
        cdrs = await house.cdrs()
        assert {cdr["state_code"] for cdr in cdrs.values()} == {8000}
        assert all(cdr["second_leg"]["answered"] for cdr in cdrs.values()) and len(cdrs) == 2
    left_out = [record for record in caplog.records if "newer version" in record.message]
    assert [record.call for record in left_out] == [LEFT]  # type: ignore[attr-defined]


@pytest.mark.requirement("A1.6")
async def test_given_phones_that_talk_by_a_newer_version_when_taken_over_then_they_go_on(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path) as house:
        house.phone_does(ANSWERS)
        accepted = await house.start(plan=callback())
        await house.told.until(accepted.session_id, Kind.ANSWER, 2)
        await house.service.drain(0, hands_over=lambda: True)

    async def news(house: House) -> None:
        def write(session: Session) -> None:
            [row] = session.execute(select(Call)).scalars()
            row.plan = {**(row.plan or {}), "whispers": True}
            at = row.accepted_at
            session.add(TimelineEntry(call_id=row.id, sequence=50, at=at, kind="whisper", leg="a"))

        await house.database.write(write)

    async with running_house(asterisk, template, tmp_path, prepare=news) as house:
        [call_id] = house.service.running_ids
        asterisk.phone(f"{call_id}.b").hang_up()
        ended = await house.ended(accepted)
        assert (ended.state_code, await house.live_rows()) == (0, 0)


@pytest.mark.parametrize("change", [has_other_media, has_other_detail])
async def test_given_a_call_that_makes_no_sense_when_started_then_it_gets_its_record_and_keeps_no_other(
    asterisk: FakeAsterisk,
    template: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[Session], None],
) -> None:
    prepare = partial(left_by_a_newer_one, change=change)
    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT)
        await house.told.until(f"{OTHER}@{HOST}", Kind.DISCONNECT)
        record = (await house.cdrs())[f"{LEFT}@{HOST}"]
    assert record["second_callee"] == callback().callee.e164
    assert record["first_leg"]["answered"] and record["second_leg"]["answered"]
    assert said_of(caplog, "ERROR") == [LEFT]


@pytest.mark.requirement("A1.6")
async def test_given_phones_that_talk_in_a_call_that_makes_no_sense_when_taken_over_then_they_are_hung_up(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    """For how long they may talk is not known."""
    async with running_house(asterisk, template, tmp_path) as house:
        house.phone_does(ANSWERS)
        accepted = await house.start(plan=callback())
        await house.told.until(accepted.session_id, Kind.ANSWER, 2)
        await house.service.drain(0, hands_over=lambda: True)

    async def news(house: House) -> None:
        def write(session: Session) -> None:
            [row] = session.execute(select(Call)).scalars()
            row.plan = {**(row.plan or {}), "callee_media": "after the first ring"}

        await house.database.write(write)

    async with running_house(asterisk, template, tmp_path, prepare=news) as house:
        assert (await house.ended(accepted)).state_code == 8000
        assert not any(asterisk.left.values()) and not asterisk.channels


@pytest.mark.parametrize("node", ["node1", "node2"])
async def test_given_a_call_of_a_service_that_is_not_known_when_started_then_it_is_left_and_keeps_no_other(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, node: str
) -> None:
    """Also where it is on another node, as after nodes were renamed."""
    await leave_channel(asterisk, f"{LEFT}.a")
    prepare = partial(left_by_a_newer_one, change=has_another_service, node=node)
    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        recovery = house.node.on_snapshot
        assert isinstance(recovery, Recovery)
        await recovery.close_elsewhere(["node1"])
        await house.told.until(f"{OTHER}@{HOST}", Kind.DISCONNECT)
        assert house.node.available
        assert [row.id for row in await house.rows(Call) if row.ended_at is None] == [LEFT]
        # The version that wrote it may go on with it.
        assert list(asterisk.channels) == [f"{LEFT}.a"]
    assert set(said_of(caplog, "ERROR")) == {LEFT}
    assert "stays open" in caplog.text

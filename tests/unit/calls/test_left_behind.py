"""What calls are billed until that a controller left behind, and how many are closed at once."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from unit.calls.support import (
    HOST,
    SHOWN,
    House,
    call_request,
    held_ends,
    leave_channel,
    running_house,
)
from unit.support import soon

from controller.ari.fake import ANSWERS, FakeAsterisk
from controller.calls.call import Callback, LiveCall, Notification
from controller.calls.outcome import MAX_DURATION
from controller.calls.timeline import Kind
from controller.calls.written import call_row, entry_row
from controller.phone_number import PhoneNumber
from controller.store import calls as rows
from controller.store import controllers
from controller.store.database import Database
from controller.store.limits import Limits
from controller.store.recordings import RecordingState
from controller.store.tables import Call, Recording

pytestmark = pytest.mark.requirement("E4")

LEFT = "1202_1_7_20261123070000"
OUTAGE = timedelta(hours=2)
TALKED = timedelta(minutes=3)
RANG = (("a", Kind.CALLOUT), ("a", Kind.ALERTING))
TALKS = (("a", Kind.ANSWER), ("b", Kind.ANSWER))


async def leave(house: House, call_id: str, plan: Callback | Notification, *told: tuple[str, Kind]) -> None:
    """A call as a controller that is gone leaves it in the database."""
    call = LiveCall(call_id, f"{call_id}@{HOST}", call_request(plan=plan), house.clock, lambda *_: None)
    call.node = "node1"
    call.tell(Kind.ACCEPTED)
    for leg, kind in told:
        call.tell(kind, leg or None)
    await house.database.write(
        lambda session: rows.accept_call(session, call_row(call, HOST), None, Limits(1000))
    )
    entries = [entry_row(call_id, entry) for entry in call.timeline.entries[1:]]
    await house.database.write(lambda session: rows.add_entries(session, entries))


async def joins(house: House) -> None:
    await house.database.write(
        lambda session: controllers.join(session, HOST, "voicecall", ["node1"], house.clock.now())
    )


def callback(max_minutes: int = 0) -> Callback:
    return Callback(PhoneNumber("+8613900002222"), SHOWN, max_minutes=max_minutes)


async def started_after_an_outage(house: House, max_minutes: int, *, lived: bool = True) -> None:
    """A callback was answered, its controller lived for another while, and two hours later it is started."""
    if lived:
        await joins(house)
    await leave(house, LEFT, callback(max_minutes), *TALKS)
    house.clock.pass_(TALKED)
    if lived:
        await house.database.write(lambda session: controllers.beat(session, HOST, house.clock.now()))
    house.clock.pass_(OUTAGE)
    if lived:
        await joins(house)
        # A start that failed says nothing of calls that nobody ran.
        await joins(house)


async def billed(house: House) -> timedelta:
    """From B's answer to the end."""
    await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT)
    (cdr,) = (await house.cdrs()).values()
    (row,) = await house.rows(Call)
    ended_at = datetime.fromisoformat(cdr["ended_at"])
    assert row.ended_at == ended_at
    return ended_at - datetime.fromisoformat(cdr["second_leg"]["answered"])


def about(span: timedelta) -> Any:
    """The clock goes on as it is looked at."""
    return pytest.approx(span, abs=timedelta(seconds=1))


@pytest.mark.parametrize(("max_minutes", "minutes"), [(0, 3), (10, 3), (2, 2)])
async def test_given_an_answered_call_whose_phones_are_gone_when_started_later_then_it_is_not_billed_for_it(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, max_minutes: int, minutes: int
) -> None:
    prepare = partial(started_after_an_outage, max_minutes=max_minutes)
    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        assert await billed(house) == about(timedelta(minutes=minutes))


@pytest.mark.parametrize(("max_minutes", "expected"), [(0, TALKED + OUTAGE), (2, timedelta(minutes=2))])
async def test_given_a_controller_of_which_no_sign_of_life_is_known_when_started_then_max_duration_holds(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, max_minutes: int, expected: timedelta
) -> None:
    prepare = partial(started_after_an_outage, max_minutes=max_minutes, lived=False)
    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        assert await billed(house) == about(expected)


@pytest.mark.requirement("E3")
@pytest.mark.parametrize("told", [(), RANG], ids=["not dialled", "rang"])
async def test_given_a_call_that_is_left_behind_when_it_is_closed_then_it_began_when_it_was_accepted(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, told: tuple[tuple[str, Kind], ...]
) -> None:
    """Its trace goes from there to its end, which is not before, whenever a sign of life was given."""

    async def prepare(house: House) -> None:
        await joins(house)
        await leave(house, LEFT, callback(), *told)
        house.clock.pass_(OUTAGE)
        await joins(house)

    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT)
        [(call, end)] = house.told.calls
        [row] = await house.rows(Call)
    assert call.accepted_at == row.accepted_at <= end.at == row.ended_at


@pytest.mark.requirement("A1.5")
async def test_given_a_recorded_call_whose_controller_was_killed_when_started_then_what_was_said_is_kept(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async def prepare(house: House) -> None:
        await joins(house)
        plan = replace(callback(), record=True)
        await leave(house, LEFT, plan, *TALKS, ("", Kind.RECORDING))
        house.clock.pass_(OUTAGE)
        await joins(house)

    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        assert await billed(house) == about(timedelta())
        (recording,) = await house.rows(Recording)
        (cdr,) = (await house.cdrs()).values()
    assert (recording.state, cdr["recording_name"]) == (RecordingState.PENDING, recording.name)


@pytest.mark.parametrize(
    ("max_minutes", "expected"), [(0, TALKED + OUTAGE), (10, timedelta(minutes=10))], ids=["no limit", "10"]
)
async def test_given_a_phone_that_is_still_there_when_started_then_it_is_billed_until_it_is_hung_up(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, max_minutes: int, expected: timedelta
) -> None:
    await leave_channel(asterisk, f"{LEFT}.a")
    prepare = partial(started_after_an_outage, max_minutes=max_minutes)
    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        assert await billed(house) == about(expected)
        assert not asterisk.channels


async def test_given_phones_that_talk_past_the_maximum_when_taken_over_then_no_more_than_that_is_billed(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path) as house:
        house.phone_does(ANSWERS)
        accepted = await house.start(plan=callback(max_minutes=30))
        await house.told.until(accepted.session_id, Kind.ANSWER, 2)
        await house.service.drain(0, hands_over=lambda: True)

    async def later(house: House) -> None:
        house.clock.pass_(OUTAGE)

    async with running_house(asterisk, template, tmp_path, prepare=later) as house:
        ended = await house.ended(accepted)
    span = datetime.fromisoformat(ended.cdr["ended_at"]) - datetime.fromisoformat(
        ended.cdr["second_leg"]["answered"]
    )
    assert (ended.state_code, span) == (MAX_DURATION.state_code, timedelta(minutes=30))


async def test_given_a_call_that_goes_on_when_its_controller_goes_again_then_it_is_known_until_then(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path, prepare=joins) as house:
        house.phone_does(ANSWERS)
        accepted = await house.start(plan=callback())
        await house.told.until(accepted.session_id, Kind.ANSWER, 2)
        await house.service.drain(0, hands_over=lambda: True)
    async with running_house(asterisk, template, tmp_path, prepare=joins) as house:
        assert len(house.service.running_ids) == 1
        house.clock.pass_(TALKED)
        await house.database.write(lambda session: controllers.beat(session, HOST, house.clock.now()))
        await house.service.drain(0, hands_over=lambda: True)
    for channel in list(asterisk.channels):
        asterisk.phone(channel).hang_up()
    await asterisk.until(lambda: not asterisk.channels)

    async def later(house: House) -> None:
        house.clock.pass_(OUTAGE)
        await joins(house)

    async with running_house(asterisk, template, tmp_path, prepare=later) as house:
        cdr = (await house.ended(accepted)).cdr
    span = datetime.fromisoformat(cdr["ended_at"]) - datetime.fromisoformat(cdr["second_leg"]["answered"])
    assert span == about(TALKED)


@pytest.mark.requirement("B1")
async def test_given_the_socket_is_lost_before_the_end_of_a_call_left_behind_is_written_then_it_is_told_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await started_after_an_outage(house, max_minutes=0)
    closing, may_go_on = held_ends(house, monkeypatch)
    house.asterisk.drop_sockets()
    await soon(closing.wait())
    # Whoever comes next would give it the same end, and could not tell its own from the other's.
    house.asterisk.drop_sockets()
    await soon(house.node.ari.wait_lost())
    reads = await_reads(house.database, monkeypatch)
    await soon(reads.wait())
    may_go_on.set()
    await soon(house.node.ari.wait_ready())
    await house.told.until(f"{LEFT}@{HOST}", Kind.DISCONNECT)
    await soon(house.service._closing.finish(5.0))
    assert len(house.told.entries) == 1


def await_reads(database: Database, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when what was left behind has been read."""
    read, has_read = database.read, asyncio.Event()

    async def noted(work: Any) -> Any:
        found = await read(work)
        if "left_behind" in getattr(work, "__qualname__", ""):
            has_read.set()
        return found

    monkeypatch.setattr(database, "read", noted)
    return has_read


MANY = 300


@pytest.mark.requirement("E2")
async def test_given_hundreds_of_ringing_calls_when_their_controller_is_gone_then_they_are_closed_together(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"1200_{number}_7_20261123070000" for number in range(MANY)]
    for name in names[:40]:
        await leave_channel(asterisk, f"{name}.a")
    commits: list[int] = []
    asked = [0, 0]

    async def prepare(house: House) -> None:
        await asyncio.gather(*(leave(house, name, Notification(()), *RANG) for name in names))
        commit, hang_up = Database._commit, house.node.ari.channels.hang_up

        def counted(database: Database, group: Any) -> Any:
            commits.append(len(group))
            return commit(database, group)

        async def watched(channel_id: str, **more: Any) -> None:
            asked[0] += 1
            asked[1] = max(asked)
            await hang_up(channel_id, **more)
            asked[0] -= 1

        monkeypatch.setattr(Database, "_commit", counted)
        monkeypatch.setattr(house.node.ari.channels, "hang_up", watched)

    async with running_house(asterisk, template, tmp_path, prepare=prepare) as house:
        assert await house.live_rows() == 0
        assert len(house.told.entries) == len(await house.cdrs()) == MANY
        assert not asterisk.channels
    assert len(commits) < MANY / 10
    assert 1 < asked[1] <= 16

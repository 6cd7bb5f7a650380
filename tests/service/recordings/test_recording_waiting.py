"""Recordings on a node that does not give them: counted, and given up in the end."""

import logging
from datetime import datetime, timedelta

import pytest
from service.recordings.support import KEEP, STARTED, Room
from service.recordings.test_recording_keeper import Gate
from sqlmodel import Session
from unit.support import soon

from controller.recordings.waiting import GRACE, Waiting
from controller.store.recordings import RecordingState
from controller.store.retention import purge_calls
from controller.store.tables import Call, Cdr

pytestmark = pytest.mark.requirement("A1.5")

TOO_LONG = STARTED + KEEP + GRACE + timedelta(seconds=1)


def waiting(room: Room, *nodes: str) -> Waiting:
    return Waiting(room.database, room.clock, KEEP, nodes or (room.node.name,))


async def end_call(room: Room, call_id: str, at: datetime) -> None:
    def write(session: Session) -> None:
        session.get_one(Call, call_id).ended_at = at
        session.add(Cdr(call_id=call_id, app_key="app", ended_at=at, record={}))

    await room.database.write(write)


async def test_given_a_node_that_never_comes_back_when_its_time_is_over_then_its_recordings_have_failed(
    waiting_room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    room = waiting_room
    await room.add("call-1", node="gone")
    await room.add("call-2", RecordingState.DISCARD, node="gone")
    await room.add("call-3", node="gone", started_at=TOO_LONG - timedelta(days=1))
    for number in (1, 2, 3):
        await end_call(room, f"call-{number}", STARTED + timedelta(minutes=number))

    room.clock.time = TOO_LONG
    with caplog.at_level(logging.ERROR):
        await waiting(room).look()

    assert [(await room.row(f"call-{number}")).state for number in (1, 2, 3)] == [
        RecordingState.FAILED,
        RecordingState.DISCARDED,
        RecordingState.PENDING,
    ]
    assert [(vars(it)["call"], vars(it)["node"], vars(it)["days"]) for it in caplog.records] == [
        ("call-1", "gone", 8),
        ("call-2", "gone", 8),
    ]
    assert all("given up" in it.getMessage() for it in caplog.records)

    # Their calls go when their own time is over; the one that is still waited for stays.
    purged = await room.database.write(lambda session: purge_calls(session, TOO_LONG, None, 10))
    assert purged is not None
    assert purged.calls == 2


async def test_given_recordings_whose_time_is_not_over_when_looked_at_then_none_is_given_up(
    waiting_room: Room,
) -> None:
    await waiting_room.add("call-1", node="gone")
    waiting_room.clock.time = STARTED + KEEP + GRACE
    await waiting(waiting_room).look()
    assert (await waiting_room.row()).state == RecordingState.PENDING


async def test_given_recordings_that_are_late_when_looked_at_then_they_are_counted_by_node(
    waiting_room: Room,
) -> None:
    room = waiting_room
    ended = STARTED + timedelta(minutes=1)
    for number, (node, after) in enumerate((("gone", 0), ("gone", 0), ("node1", 0), ("gone", 600))):
        await room.add(f"call-{number}", node=node)
        await end_call(room, f"call-{number}", ended + timedelta(seconds=after))
    await room.add("call-9", RecordingState.STORED, sound=None, node="gone")
    await end_call(room, "call-9", ended)

    room.clock.time = ended + timedelta(minutes=6)
    looking = waiting(room, "node1", "node2")
    assert looking.counts == {"node1": 0, "node2": 0}
    await looking.look()
    assert looking.counts == {"node1": 1, "node2": 0, "gone": 2}


async def test_given_a_node_that_comes_back_after_all_when_cleared_then_its_copies_are_deleted(
    waiting_room: Room,
) -> None:
    room = waiting_room
    await room.add("call-1")
    await room.add("call-2", RecordingState.DISCARD)
    await room.add("call-3", sound=None)
    room.clock.time = TOO_LONG
    await waiting(room).look()

    async with room.node:
        await soon(room.node.ari.wait_ready())
        await room.keeper().clear_node()
        await room.keeper().clear_node()

    assert not room.asterisk.stored_recordings
    assert len(room.asked("recordings.deleteStored")) == 3
    rows = [await room.row(f"call-{number}") for number in (1, 2, 3)]
    assert [(row.state, row.purge_at) for row in rows] == [
        (RecordingState.FAILED, None),
        (RecordingState.DISCARDED, None),
        (RecordingState.FAILED, None),
    ]


async def test_given_a_keeper_that_runs_when_the_house_is_cleaned_then_the_node_is_cleared_too(
    room: Room,
) -> None:
    await room.add("call-1", RecordingState.FAILED, purge_at=STARTED)
    async with room.keeping(purge_interval=timedelta(milliseconds=20)):
        await soon(room.asterisk.requested("recordings.deleteStored", 1))
        await room.until_it(lambda row: row.purge_at is None)
    assert not room.asterisk.stored_recordings


async def test_given_a_recording_that_is_given_up_while_it_comes_when_fetched_then_no_file_is_left(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(room, monkeypatch)
    await room.add()
    async with room.keeping() as keeper:
        await gate.reached(1)
        room.clock.time = TOO_LONG
        await waiting(room).look()
        gate.opened.set()
        await soon(keeper.drain(5.0))
        assert (await room.row()).state == RecordingState.FAILED
        assert room.files() == []
        await keeper.clear_node()
    assert not room.asterisk.stored_recordings

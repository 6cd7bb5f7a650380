"""Recordings whose time is over."""

from datetime import timedelta
from pathlib import Path

import pytest
from service.recordings.support import KEEP, SOUND, STARTED, Room

from controller.recordings.files import recording_path
from controller.store.recordings import RecordingState

pytestmark = pytest.mark.requirement("A1.5")


async def test_given_time_is_over_when_the_keeper_starts_then_the_file_is_removed(room: Room) -> None:
    path = await room.add_kept()
    room.clock.time = STARTED + KEEP
    async with room.keeping():
        row = await room.until(RecordingState.PURGED)
    assert row.purge_at is None
    assert not path.parent.exists()


async def test_given_time_is_not_over_when_purged_then_the_file_stays(room: Room) -> None:
    path = await room.add_kept()
    room.clock.time = STARTED + KEEP - timedelta(seconds=1)
    assert await room.keeper().purge() == 0
    assert path.exists()


async def test_given_a_running_keeper_when_time_passes_then_it_purges_again(room: Room) -> None:
    path = await room.add_kept()
    async with room.keeping(purge_interval=timedelta(milliseconds=20)) as keeper:
        await room.add("call-2")
        keeper.wake()
        await room.until(RecordingState.STORED, "call-2")
        assert path.exists()
        room.clock.time = STARTED + KEEP
        await room.until(RecordingState.PURGED)


async def test_given_the_file_is_gone_already_when_purged_then_the_row_is_marked(room: Room) -> None:
    (await room.add_kept()).unlink()
    room.clock.time = STARTED + KEEP
    assert await room.keeper().purge() == 1
    assert (await room.row()).state == RecordingState.PURGED


async def test_given_asterisk_still_has_its_copy_when_purged_then_that_is_deleted_too(
    waiting_room: Room,
) -> None:
    room = waiting_room
    path = await room.add_kept(state=RecordingState.FETCHED, sound=SOUND)
    room.clock.time = STARTED + KEEP
    assert await room.keeper().purge() == 1
    assert not path.exists()
    async with room.keeping(), room.node:
        await room.until(RecordingState.DISCARDED)
    assert not room.asterisk.stored_recordings


async def test_given_recordings_of_other_nodes_when_purged_then_only_those_whose_files_are_here(
    room: Room,
) -> None:
    await room.add_kept("call-here", node="node0")
    await room.add("call-elsewhere", RecordingState.STORED, sound=None, node="node0", purge_at=STARTED)
    room.clock.time = STARTED + KEEP
    assert await room.keeper().purge() == 1
    assert (await room.row("call-here")).state == RecordingState.PURGED
    assert (await room.row("call-elsewhere")).state == RecordingState.STORED


async def test_given_a_file_that_can_not_be_removed_when_purged_then_the_others_are(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.recordings.keeper._PURGED_AT_ONCE", 1)
    (await room.add_kept("call-1")).unlink()
    room.path("call-1").mkdir()
    for number in (2, 3):
        await room.add_kept(f"call-{number}")
    room.clock.time = STARTED + KEEP
    assert await room.keeper().purge() == 2
    assert (await room.row("call-1")).state == RecordingState.STORED


@pytest.mark.parametrize("call_id", ["..", ".", "../../x", "/etc/x", "a/b", "a\0b", "号", "a b%2f"])
def test_given_an_odd_call_id_when_a_path_is_made_then_it_stays_in_the_day_s_folder(
    tmp_path: Path, call_id: str
) -> None:
    path = recording_path(tmp_path, call_id, STARTED)
    assert path.resolve().parent == (tmp_path / "20261123").resolve()
    assert path.name.isascii()
    assert path.name.endswith(".wav")

"""The keeper: from Asterisk to disk, whatever goes wrong on the way."""

import asyncio
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from service.recordings.support import KEEP, NUMBER, SOUND, STARTED, Room
from unit.support import soon

from controller import ari
from controller.prompts import wav
from controller.recordings.keeper import retry_delay
from controller.store.recordings import RecordingState

pytestmark = pytest.mark.requirement("A1.5")


class Gate:
    """Takes the place of `fetch`: gives half, then waits to be opened."""

    def __init__(self, room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened = asyncio.Event()
        self.under_way: set[str] = set()
        self.most = 0
        self._room = room
        self._arrived = asyncio.Event()
        monkeypatch.setattr(room.node.ari.recordings, "fetch", self._fetch)

    async def _fetch(self, name: str) -> AsyncIterator[bytes]:
        self.under_way.add(name)
        self.most = max(self.most, len(self.under_way))
        self._arrived.set()
        try:
            sound = self._room.asterisk.stored_recordings[name][1]
            yield sound[:1000]
            await self.opened.wait()
            yield sound[1000:]
        finally:
            self.under_way.discard(name)

    async def reached(self, count: int) -> None:
        while len(self.under_way) < count:
            self._arrived.clear()
            await soon(self._arrived.wait())


async def test_given_a_recording_when_the_keeper_runs_then_it_is_a_wav_file_and_gone_from_asterisk(
    room: Room,
) -> None:
    await room.add()
    async with room.keeping():
        row = await room.until(RecordingState.STORED)
    file = wav.check(room.path("call-1").read_bytes())
    assert file.data == SOUND
    assert (row.seconds, row.purge_at) == (4.0, STARTED + KEEP)
    assert not room.asterisk.stored_recordings
    assert room.files() == ["20261123/call-1.wav"]
    assert room.path("call-1").stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in (room.directory, room.path("x").parent)} == {0o700}


@pytest.mark.parametrize("size", [1, 7999, wav.MAX_BYTES + 1])
async def test_given_any_length_when_fetched_then_the_header_tells_it(room: Room, size: int) -> None:
    await room.add(sound=(SOUND * (size // len(SOUND) + 1))[:size])
    async with room.keeping():
        row = await room.until(RecordingState.STORED)
    content = room.path("call-1").read_bytes()
    file = wav.parse(content)
    assert (len(file.data), file.form.tag, file.form.rate) == (size, wav.TAG_ALAW, wav.RATE)
    assert len(content) == wav.HEADER_BYTES + size + size % 2
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    assert row.seconds == size / 8000


async def test_given_a_recording_when_deleted_on_asterisk_then_file_and_row_were_safe(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    delete: Callable[[str], Awaitable[None]] = room.node.ari.recordings.delete_stored

    async def watched(name: str) -> None:
        seen.append(((await room.row(name)).state, room.path(name).exists()))
        await delete(name)

    monkeypatch.setattr(room.node.ari.recordings, "delete_stored", watched)
    await room.add()
    async with room.keeping():
        await room.until(RecordingState.STORED)
    assert seen == [(RecordingState.FETCHED, True)]


async def test_given_too_short_a_talk_when_the_keeper_runs_then_it_is_deleted_on_asterisk_unheard(
    room: Room,
) -> None:
    await room.add(state=RecordingState.DISCARD)
    async with room.keeping():
        await room.until(RecordingState.DISCARDED)
    assert not room.asterisk.stored_recordings
    assert room.files() == []
    assert room.asked("recordings.getStoredFile") == []


async def test_given_asterisk_deleted_it_already_when_discarded_then_that_is_fine(room: Room) -> None:
    await room.add(state=RecordingState.DISCARD, sound=None)
    async with room.keeping():
        await room.until(RecordingState.DISCARDED)


async def test_given_asterisk_does_not_have_it_when_fetched_then_it_has_failed_and_the_log_says_so(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    await room.add(sound=None)
    with caplog.at_level(logging.INFO):
        async with room.keeping():
            await room.until(RecordingState.FAILED)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert vars(record)["call"] == "call-1"
    assert not any(NUMBER in str(vars(record)) for record in caplog.records)
    assert room.files() == []


async def test_given_a_recording_without_sound_when_fetched_then_it_is_discarded(room: Room) -> None:
    await room.add(sound=b"")
    async with room.keeping():
        await room.until(RecordingState.DISCARDED)
    assert room.files() == []
    assert not room.asterisk.stored_recordings


@pytest.mark.parametrize(
    "operation", ["recordings.getStoredFile", "recordings.deleteStored", "recordings.stop"]
)
async def test_given_asterisk_fails_when_asked_again_later_then_the_recording_is_kept(
    room: Room, operation: str
) -> None:
    room.asterisk.faults.answer(operation, 500, times=3)
    await room.add()
    async with room.keeping():
        await room.until(RecordingState.STORED)
    assert len(room.asked(operation)) == 4
    assert wav.read(room.path("call-1").read_bytes()) == SOUND
    assert not room.asterisk.stored_recordings


async def test_given_only_the_deletion_failed_when_tried_again_then_it_is_not_fetched_again(
    room: Room,
) -> None:
    room.asterisk.faults.answer("recordings.deleteStored", 500)
    await room.add()
    async with room.keeping():
        await room.until(RecordingState.STORED)
    assert len(room.asked("recordings.getStoredFile")) == 1


async def test_given_the_connection_is_lost_halfway_when_tried_again_then_the_file_is_whole(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = room.node.ari.recordings.fetch
    left: list[list[str]] = []

    async def broken_once(name: str) -> AsyncIterator[bytes]:
        if not left:
            yield SOUND[:5000]
            left.append(room.files())
            raise ari.ConnectionLost("cut")
        left.append(room.files())
        async for piece in fetch(name):
            yield piece

    monkeypatch.setattr(room.node.ari.recordings, "fetch", broken_once)
    await room.add()
    async with room.keeping():
        await room.until(RecordingState.STORED)
    assert [len(files) for files in left] == [1, 1]
    assert room.files() == ["20261123/call-1.wav"]
    assert wav.read(room.path("call-1").read_bytes()) == SOUND


async def test_given_the_node_is_away_when_it_is_back_then_the_recording_is_fetched(room: Room) -> None:
    room.asterisk.kill()
    await soon(room.node.ari.wait_lost())
    await room.add()
    async with room.keeping():
        room.asterisk.start()
        await room.until(RecordingState.STORED)


async def test_given_the_node_is_not_started_when_it_is_then_the_recording_is_fetched(
    waiting_room: Room,
) -> None:
    room = waiting_room
    await room.add()
    async with room.keeping(), room.node:
        await room.until(RecordingState.STORED)


async def test_given_a_crash_before_asterisk_let_go_of_it_when_started_then_it_is_deleted_there(
    room: Room,
) -> None:
    path = await room.add_kept(state=RecordingState.FETCHED, sound=SOUND)
    async with room.keeping():
        await room.until(RecordingState.STORED)
    assert not room.asterisk.stored_recordings
    assert room.asked("recordings.getStoredFile") == []
    assert path.exists()


async def test_given_a_crash_before_the_row_was_written_when_started_then_the_file_is_fetched_again(
    room: Room,
) -> None:
    path = await room.add_kept(state=RecordingState.PENDING, sound=SOUND, purge_at=None)
    async with room.keeping():
        await room.until(RecordingState.STORED)
    assert wav.read(path.read_bytes()) == SOUND


async def test_given_parts_of_an_earlier_run_when_started_then_its_own_are_removed_and_old_ones_of_the_node(
    room: Room,
) -> None:
    """A younger one another controller of the node may be writing."""
    long_ago = time.time() - 3700
    node = room.node.name
    for place in (f"{node}/controller1", f"{node}/controller2", "node2/controller1", node):
        folder = room.directory / "parts" / place
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("old", "young"):
            (folder / f"{name}.part").write_bytes(b"half")
        os.utime(folder / "old.part", (long_ago, long_ago))
    await room.add_kept()
    room.clock.time = STARTED + KEEP
    async with room.keeping():
        await room.until(RecordingState.PURGED)
    left = ("controller2/young", "young")
    others = ("node2/controller1/old", "node2/controller1/young")
    assert room.files() == sorted(
        f"parts/{it}.part" for it in (*(f"{node}/{name}" for name in left), *others)
    )


async def test_given_asterisk_still_records_when_fetched_then_it_is_ended_first(room: Room) -> None:
    recordings, bridges = room.node.ari.recordings, room.node.ari.bridges
    await bridges.create(bridge_id="bridge-1")
    await bridges.record("bridge-1", name="call-1", audio_format="alaw")
    await asyncio.sleep(0.05)  # Sound of some length.
    await room.add(sound=None)
    async with room.keeping():
        row = await room.until(RecordingState.STORED)
    assert row.seconds >= 0.05
    with pytest.raises(ari.NotFound):
        await recordings.get_live("call-1")


async def test_given_many_recordings_when_fetched_then_two_at_once_and_all_in_the_end(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(room, monkeypatch)
    names = [await room.add(f"call-{number}") for number in range(6)]
    async with room.keeping():
        await gate.reached(2)
        gate.opened.set()
        for name in names:
            await room.until(RecordingState.STORED, name)
    assert gate.most == 2


async def test_given_a_recording_that_fails_when_others_wait_then_it_does_not_hold_them_up(
    room: Room,
) -> None:
    # One that is never complete: it is a folder where the file belongs.
    await room.add("call-0")
    room.path("call-0").mkdir(parents=True)
    await room.add("call-1")
    async with room.keeping(fetches=1, retry=lambda _attempt: 60.0):
        await room.until(RecordingState.STORED, "call-1")
    assert (await room.row("call-0")).state == RecordingState.PENDING
    assert "call-0" in room.asterisk.stored_recordings


async def test_given_an_idle_keeper_when_woken_then_it_fetches_at_once(room: Room) -> None:
    await room.add("call-1")
    async with room.keeping() as keeper:
        await room.until(RecordingState.STORED, "call-1")
        await room.add("call-2")
        keeper.wake()
        await room.until(RecordingState.STORED, "call-2")


async def test_given_a_recording_of_another_node_when_the_keeper_runs_then_it_is_left_alone(
    room: Room,
) -> None:
    await room.add("call-0", node="node2")
    await room.add("call-1")
    async with room.keeping():
        await room.until(RecordingState.STORED, "call-1")
    assert (await room.row("call-0")).state == RecordingState.PENDING
    assert list(room.asterisk.stored_recordings) == ["call-0"]


async def test_given_no_place_to_write_when_there_is_one_then_the_recording_is_kept(room: Room) -> None:
    room.directory.write_bytes(b"in the way")
    failed = asyncio.Event()

    def retry(_attempt: int) -> float:
        failed.set()
        return 0.01

    await room.add()
    async with room.keeping(retry=retry):
        await soon(failed.wait())
        assert "call-1" in room.asterisk.stored_recordings
        room.directory.unlink()
        await room.until(RecordingState.STORED)


async def test_given_a_fetch_under_way_when_drained_then_it_ends_and_nothing_new_begins(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(room, monkeypatch)
    for number in range(2):
        await room.add(f"call-{number}")
    async with room.keeping(fetches=1) as keeper:
        await gate.reached(1)
        draining = asyncio.create_task(keeper.drain(5.0))
        await asyncio.sleep(0)
        gate.opened.set()
        await soon(draining)
        assert (await room.row("call-0")).state == RecordingState.STORED
        assert (await room.row("call-1")).state == RecordingState.PENDING


@pytest.mark.parametrize("drained", [True, False])
async def test_given_a_fetch_without_an_end_when_the_keeper_stops_then_nothing_half_is_left(
    room: Room, monkeypatch: pytest.MonkeyPatch, *, drained: bool
) -> None:
    gate = Gate(room, monkeypatch)
    await room.add()
    async with room.keeping() as keeper:
        await gate.reached(1)
        if drained:
            await soon(keeper.drain(0.01))
            assert not gate.under_way
    assert not gate.under_way
    assert room.files() == []
    assert (await room.row()).state == RecordingState.PENDING
    assert "call-1" in room.asterisk.stored_recordings


async def test_given_the_database_fails_when_it_works_again_then_the_recording_is_kept(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = room.database.write, ["locked", "locked"]

    async def failing(work: object) -> object:
        if failures:
            raise RuntimeError(failures.pop())
        return await write(work)  # type: ignore[arg-type]

    await room.add()
    monkeypatch.setattr(room.database, "write", failing)
    async with room.keeping():
        await room.until(RecordingState.STORED)
    assert wav.read(room.path("call-1").read_bytes()) == SOUND


async def test_given_two_controllers_of_one_node_when_both_fetch_then_the_file_is_whole(room: Room) -> None:
    names = [await room.add(f"call-{number}") for number in range(6)]
    async with room.keeping() as first, room.keeping() as second:
        for name in names:
            await room.until(RecordingState.STORED, name)
        await first.drain(5.0)
        await second.drain(5.0)
    for name in names:
        assert (await room.row(name)).state == RecordingState.STORED
        assert wav.read(room.path(name).read_bytes()) == SOUND
    assert len(room.files()) == len(names)


async def test_given_asterisk_falls_silent_while_fetching_when_it_speaks_again_then_it_is_kept(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = room.node.ari.recordings.fetch
    monkeypatch.setattr(room.node.ari.recordings, "fetch", partial(fetch, silence=0.05))
    room.asterisk.faults.delay_answers(math.inf, "recordings.getStoredFile")
    await room.add()
    async with room.keeping():
        await room.asterisk.requested("recordings.getStoredFile", 2)
        monkeypatch.setattr(room.node.ari.recordings, "fetch", fetch)
        room.asterisk.faults.delay_answers(0, "recordings.getStoredFile")
        await room.until(RecordingState.STORED)


def test_given_failed_attempts_when_counted_then_the_pauses_double_up_to_five_minutes() -> None:
    assert [retry_delay(attempt) for attempt in (1, 2, 3, 9, 10, 1000)] == [1, 2, 4, 256, 300, 300]

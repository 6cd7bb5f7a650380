"""Recordings of a real Asterisk: made, fetched, deleted there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from engine import database_at
from service.recordings.support import Room, SetClock, WatchedDatabase
from unit.calls.support import add_account

from controller.asterisk.node import Node
from controller.prompts import wav
from controller.store.recordings import RecordingState
from controller.store.schema import migrate
from testbed.asterisk import AsteriskProgram
from testbed.platform import platform

pytestmark = pytest.mark.requirement("A1.5")

SOUND = bytes(range(256)) * 4000
"""128 s: many pieces."""


@asynccontextmanager
async def real_room(directory: Path, program: AsteriskProgram) -> AsyncIterator[tuple[Room, Path]]:
    """A room whose node is real, and the folder in which that keeps recordings."""
    async with platform(directory, program) as home:
        path = directory / "test.db"
        migrate(database_at(path))
        add_account(path)
        async with (
            WatchedDatabase(database_at(path)) as database,
            Node(home.settings.asterisk) as node,
        ):
            await node.ari.wait_ready()
            room = Room(None, database, node, SetClock(), directory / "recordings")  # type: ignore[arg-type]
            yield room, home.settings.asterisk.recording_dir


async def test_given_recordings_of_a_real_asterisk_when_kept_then_they_are_whole_and_gone_there(
    tmp_path: Path, program: AsteriskProgram
) -> None:
    async with real_room(tmp_path, program) as (room, there):
        (there / "call-1.alaw").write_bytes(SOUND)
        (there / "call-2.alaw").write_bytes(SOUND)
        await room.add("call-1", sound=None)
        await room.add("call-2", RecordingState.DISCARD, sound=None)
        await room.add("call-3", sound=None)
        async with room.keeping():
            row = await room.until(RecordingState.STORED, "call-1")
            await room.until(RecordingState.DISCARDED, "call-2")
            await room.until(RecordingState.FAILED, "call-3")
        assert row.seconds == 128.0
        assert wav.read(room.path("call-1").read_bytes()) == SOUND
        assert list(there.iterdir()) == []


async def test_given_a_bridge_that_is_still_recorded_when_kept_then_the_recording_is_ended_first(
    tmp_path: Path, program: AsteriskProgram
) -> None:
    async with real_room(tmp_path, program) as (room, there):
        bridges = room.node.ari.bridges
        await bridges.create(bridge_id="bridge-1")
        await bridges.record("bridge-1", name="call-1", audio_format="alaw")
        (tmp_path / "prompt.alaw").write_bytes(SOUND)
        await bridges.play("bridge-1", f"sound:{tmp_path / 'prompt'}", playback_id="playback-1")
        # Nobody is told of a bridge without channels, so this has to look.
        async with asyncio.timeout(10):
            while sum(path.stat().st_size for path in there.iterdir()) < 4000:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await room.add("call-1", sound=None)
        async with room.keeping():
            row = await room.until(RecordingState.STORED)
        assert row.seconds >= 0.5
        assert list(there.iterdir()) == []
        await bridges.destroy("bridge-1")

"""What was replaced or deleted leaves the prompts' folder, once no call can play it any more."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from service.sounds.support import Studio, pieces, studio
from sqlmodel import Session
from unit.calls.support import ACCOUNT, APP

from controller.sounds.sweeping import GRACE, Sweeper
from controller.store.tables import Call, Service
from testbed.sounds import distinct_prompt

pytestmark = pytest.mark.requirement("C5")
HELLO = "hello.wav"


async def usable(room: Studio, seed: int, name: str = HELLO) -> str:
    """Approved and distributed; returns its medium."""
    await room.files.upload(ACCOUNT, name, pieces(distinct_prompt(seed)))
    await room.files.submit(ACCOUNT, name, by="dora")
    await room.queue.approve((await room.queue.page())[0].id, by="oscar")
    assert not await room.distributor.distribute()
    return room.library.media((await room.directory()).sound(ACCOUNT, name).digest)


def sweeper(room: Studio, ours: Callable[[], set[str]] = set) -> Sweeper:
    playing = room.playing
    return Sweeper(room.database, room.library, room.clock, lambda media: playing.get(media, []), ours)


def as_files_have_it(room: Studio, away: timedelta = timedelta(0)) -> None:
    """Set the clock to what the times of files are made of, and a moment on."""
    now = datetime.now(UTC) + timedelta(seconds=1) + away
    room.clock.move(seconds=(now - room.clock.now()).total_seconds())


def there(media: str) -> bool:
    return Path(f"{media.removeprefix('sound:')}.alaw").exists()


async def test_C5_given_audio_that_was_replaced_when_a_day_has_passed_then_it_is_gone_and_the_new_one_stays(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path) as room:
        old, new = await usable(room, 1), await usable(room, 2)
        as_files_have_it(room)
        assert await sweeper(room).sweep() == 0
        room.clock.move(seconds=GRACE.total_seconds() - 60)
        assert await sweeper(room).sweep() == 0
        assert there(old)
        room.clock.move(minutes=2)
        assert await sweeper(room).sweep() == 1
        assert (there(old), there(new)) == (False, True)
        await room.files.delete(ACCOUNT, HELLO)
        await sweeper(room).sweep()
        room.clock.move(seconds=GRACE.total_seconds() + 60)
        assert await sweeper(room).sweep() == 1
        assert not there(new)
        assert list((tmp_path / "prompts").glob("*/*")) == []


async def test_C5_given_audio_that_another_name_or_a_call_or_the_program_needs_when_swept_then_it_stays(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path) as room:
        shared = await usable(room, 1)
        await usable(room, 1, "twin.wav")
        called, resumed, shipped = (
            room.library.media(room.library.add(distinct_prompt(seed)).digest) for seed in (3, 4, 5)
        )
        room.playing[called] = ["session"]

        def add(session: Session) -> None:
            session.add(
                Call(
                    id="live",
                    session_id="live@host",
                    account_id=ACCOUNT,
                    app_key=APP,
                    service=Service.CALLBACK,
                    controller="host",
                    node="node1",
                    display_number="+8657126880001",
                    callee="+8613900001111",
                    addressee="+8613900001111",
                    accepted_at=room.clock.now(),
                    plan={"wait_voice": {"name": "a.wav", "media": resumed, "seconds": 1}, "callee": "x"},
                )
            )

        await room.database.write(add)
        as_files_have_it(room)
        await room.files.delete(ACCOUNT, HELLO)
        whole = sweeper(room, lambda: {shipped.rpartition("/")[2]})
        for _ in range(3):
            assert await whole.sweep() == 0
            room.clock.move(seconds=GRACE.total_seconds())
        assert all(map(there, (shared, called, resumed, shipped)))


async def test_C5_given_audio_that_is_wanted_again_when_swept_then_its_time_begins_anew(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path) as room:
        media = room.library.media(room.library.add(distinct_prompt(1)).digest)
        file = Path(f"{media.removeprefix('sound:')}.alaw")
        os.utime(file, (0, 0))
        as_files_have_it(room, -GRACE - timedelta(minutes=1))
        await sweeper(room).sweep()
        room.library.add(distinct_prompt(1))
        as_files_have_it(room)
        assert await sweeper(room).sweep() == 0
        os.utime(file, (0, 0))
        room.clock.move(seconds=GRACE.total_seconds() + 60)
        assert await sweeper(room).sweep() == 1

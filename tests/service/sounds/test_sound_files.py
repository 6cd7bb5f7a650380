"""Sound files of accounts on a real database: uploaded, converted, replaced, deleted."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from service.sounds.support import OTHER, Studio, cd_quality, pieces, studio
from unit.calls.support import ACCOUNT

from controller.prompts import wav
from controller.prompts.errors import SoundFileError, SoundNameError, SoundProblem
from controller.sounds.errors import NotADraft, SoundInUse, SoundUnknown, TooManySounds, UploadsBusy
from controller.store.reviews import QueueState
from controller.store.tables import ReviewState
from testbed.sounds import distinct_prompt

HELLO = "hello.wav"


async def upload(room: Studio, seed: int = 1, name: str = HELLO, seconds: float = 1.0) -> None:
    await room.files.upload(ACCOUNT, name, pieces(distinct_prompt(seed, seconds)))


async def approve(room: Studio, name: str = HELLO) -> None:
    await room.files.submit(ACCOUNT, name, by="dora")
    (waiting,) = await room.queue.page()
    await room.queue.approve(waiting.id, by="oscar")
    assert not await room.distributor.distribute()


@pytest.mark.requirement("C5")
async def test_C5_given_a_file_in_the_required_form_when_uploaded_then_it_is_a_draft_that_can_be_heard(
    room: Studio,
) -> None:
    file = distinct_prompt(1, 1.5)
    sound = await room.files.upload(ACCOUNT, HELLO, pieces(file, 1000))

    assert (sound.state, sound.usable, sound.duration_ms, sound.source) == (
        ReviewState.DRAFT,
        False,
        1500,
        "",
    )
    assert len(wav.read(await room.files.audio(ACCOUNT, HELLO))) == 12000
    peaks = await room.files.peaks(ACCOUNT, HELLO, 50)
    assert len(peaks) == 50
    assert all(0 < peak <= 1 for peak in peaks)
    assert (await room.directory()).sounds == {}
    assert room.upload_files() == []


@pytest.mark.requirement("C5")
async def test_C5_given_a_file_of_another_form_when_uploaded_then_it_is_refused_and_converted_on_request(
    room: Studio, tmp_path: Path
) -> None:
    file = cd_quality(tmp_path / "music.mp3", 2.0)
    with pytest.raises(SoundFileError, match="not a WAV file"):
        await room.files.upload(ACCOUNT, HELLO, pieces(file))
    with pytest.raises(SoundUnknown):
        await room.files.get(ACCOUNT, HELLO)

    sound = await room.files.upload(ACCOUNT, HELLO, pieces(file), convert=True)
    assert sound.source == "MP3, 44100 Hz, 2 channels"
    assert sound.duration_ms == pytest.approx(2000, abs=100)
    assert room.upload_files() == []


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    "name", ["../../etc/cron.d/x.wav", "/tmp/x.wav", "a\\b.wav", "%2e%2e%2fx.wav", "a\0.wav"]
)
async def test_C5_given_a_name_with_path_parts_when_uploaded_then_nothing_of_the_body_is_read(
    room: Studio, name: str
) -> None:
    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    with pytest.raises(SoundNameError):
        await room.files.upload(ACCOUNT, name, unread())


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(("convert", "limit"), [(False, wav.MAX_BYTES), (True, 8_000_000)])
async def test_C5_given_a_body_of_2_gigabytes_when_uploaded_then_it_is_cut_off_at_the_limit(
    room: Studio, *, convert: bool, limit: int
) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        piece = bytes(65536)
        while sent < 2 * 1024**3:
            sent += len(piece)
            yield piece

    with pytest.raises(SoundFileError, match="The file has more than") as caught:
        await room.files.upload(ACCOUNT, HELLO, body(), convert=convert)

    assert caught.value.problem is SoundProblem.TOO_LARGE
    assert sent <= limit + 65536
    assert room.upload_files() == room.draft_files() == []


async def test_given_a_body_that_ends_in_the_middle_when_uploaded_then_nothing_of_it_stays(
    room: Studio,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield distinct_prompt(1)[:1000]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await room.files.upload(ACCOUNT, HELLO, body())
    assert room.upload_files() == room.draft_files() == []


async def test_given_as_many_uploads_as_may_be_when_another_comes_then_it_is_refused_at_once(
    room: Studio,
) -> None:
    reading, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slow(seed: int) -> AsyncIterator[bytes]:
        reading.release()
        await go_on.wait()
        yield distinct_prompt(seed)

    two = [asyncio.create_task(room.files.upload(ACCOUNT, f"{seed}.wav", slow(seed))) for seed in (1, 2)]
    for _ in two:
        await reading.acquire()
    with pytest.raises(UploadsBusy):
        await upload(room)
    go_on.set()
    assert [sound.name for sound in await asyncio.gather(*two)] == ["1.wav", "2.wav"]


@pytest.mark.requirement("C5")
async def test_C5_given_an_approved_file_when_other_sound_is_uploaded_then_calls_go_on_with_the_old_one(
    room: Studio,
) -> None:
    await upload(room, 1)
    await approve(room)
    old = (await room.directory()).sound(ACCOUNT, HELLO)

    await upload(room, 2, seconds=2.0)
    sound = await room.files.get(ACCOUNT, HELLO)
    assert (sound.state, sound.usable, sound.current) == (ReviewState.DRAFT, True, False)
    assert (await room.directory()).sound(ACCOUNT, HELLO) == old

    await approve(room)
    assert (await room.directory()).sound(ACCOUNT, HELLO).duration_ms == 2000


@pytest.mark.requirement("C5")
async def test_C5_given_a_submitted_file_when_other_sound_is_uploaded_then_its_submission_is_withdrawn(
    room: Studio,
) -> None:
    await upload(room, 1)
    await room.files.submit(ACCOUNT, HELLO, by="dora")
    await upload(room, 2)

    assert await room.queue.page() == []
    assert [item.state for item in await room.queue.page(state=None)] == [QueueState.WITHDRAWN]
    assert (await room.files.get(ACCOUNT, HELLO)).state is ReviewState.DRAFT


async def test_given_an_approved_file_when_the_same_sound_is_uploaded_again_then_nothing_changes(
    room: Studio,
) -> None:
    await upload(room, 1)
    await approve(room)
    before = await room.files.get(ACCOUNT, HELLO)
    await upload(room, 1)
    assert await room.files.get(ACCOUNT, HELLO) == before

    await upload(room, 2)
    await upload(room, 1)
    assert (await room.files.get(ACCOUNT, HELLO)).current


async def test_given_drafts_that_are_replaced_and_deleted_when_nobody_has_them_then_their_audio_is_gone(
    room: Studio,
) -> None:
    await upload(room, 1)
    await room.files.upload(OTHER, HELLO, pieces(distinct_prompt(1)))
    await upload(room, 2)
    assert len(room.draft_files()) == 2
    await room.files.delete(OTHER, HELLO)
    assert len(room.draft_files()) == 1
    await room.files.delete(ACCOUNT, HELLO)
    assert room.draft_files() == []


@pytest.mark.requirement("C5")
async def test_C5_given_a_file_that_calls_play_when_deleted_then_the_calls_are_named_and_it_stays(
    room: Studio,
) -> None:
    await upload(room)
    await approve(room)
    media = room.library.media((await room.directory()).sound(ACCOUNT, HELLO).digest)
    room.playing[media] = ["1200_1@test", "1200_2@test"]

    with pytest.raises(
        SoundInUse, match=r"hello\.wav is used by 2 call\(s\) in progress: 1200_1@test, 1200_2@test"
    ):
        await room.files.delete(ACCOUNT, HELLO)
    assert (await room.files.get(ACCOUNT, HELLO)).usable

    room.playing.clear()
    await room.files.delete(ACCOUNT, HELLO)
    assert (await room.directory()).sounds == {}


@pytest.mark.requirement("C5")
async def test_C5_given_a_file_in_review_when_submitted_again_then_that_is_refused(room: Studio) -> None:
    await upload(room)
    await room.files.submit(ACCOUNT, HELLO, by="dora")
    with pytest.raises(NotADraft, match="submitted already"):
        await room.files.submit(ACCOUNT, HELLO, by="dora")


async def test_given_a_file_of_one_account_when_another_asks_for_it_then_there_is_none(room: Studio) -> None:
    await upload(room)
    for asked in (
        room.files.get(OTHER, HELLO),
        room.files.audio(OTHER, HELLO),
        room.files.peaks(OTHER, HELLO, 10),
        room.files.submit(OTHER, HELLO, by="eve"),
        room.files.delete(OTHER, HELLO),
    ):
        with pytest.raises(SoundUnknown):
            await asked
    assert await room.files.page(OTHER) == []


async def test_given_several_files_when_listed_then_pages_follow_each_other_by_name(room: Studio) -> None:
    for seed, name in enumerate(("b.wav", "a.wav", "c.wav")):
        await upload(room, seed, name)
    first = await room.files.page(ACCOUNT, limit=2)
    rest = await room.files.page(ACCOUNT, after=first[-1].name, limit=2)
    assert [sound.name for sound in (*first, *rest)] == ["a.wav", "b.wav", "c.wav"]
    assert await room.files.page(ACCOUNT, state=ReviewState.APPROVED) == []


async def test_given_as_many_files_as_an_account_may_have_when_one_more_comes_then_it_is_refused(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path, files_per_account=1) as room:
        await upload(room, 1, "a.wav")
        with pytest.raises(TooManySounds, match="has 1 sound files"):
            await upload(room, 2, "b.wav")
        await upload(room, 2, "a.wav")


async def test_given_what_a_kill_left_behind_when_started_then_it_is_gone_and_drafts_stay(
    room: Studio,
) -> None:
    await upload(room)
    (kept,) = room.draft_files()
    orphan = room.drafts.keep(b"\xd5" * 8000)
    left, under_way = (room.folder / "uploads" / f"{name}.upload" for name in ("0", "1"))
    for path in (left, under_way):
        path.write_bytes(b"half")
    long_ago = time.time() - 3700
    os.utime(left, (long_ago, long_ago))

    room.clock.move(days=3650)
    await room.files.clear()
    # What is younger another controller may be receiving.
    assert (room.draft_files(), room.upload_files()) == ([kept], [under_way])
    assert orphan.digest not in kept.name

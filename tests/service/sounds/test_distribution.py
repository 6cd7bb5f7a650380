"""An approved sound file counts as usable once every node has shown that it plays it."""

import asyncio
from pathlib import Path

import pytest
from service.sounds.support import Studio, pieces, studio
from unit.calls.support import ACCOUNT
from unit.support import soon

from controller.accounts.errors import SoundMissing
from controller.store.directory import revision
from testbed.sounds import distinct_prompt

HELLO = "hello.wav"


async def approved(room: Studio, seed: int = 1) -> None:
    await room.files.upload(ACCOUNT, HELLO, pieces(distinct_prompt(seed)))
    await room.files.submit(ACCOUNT, HELLO, by="dora")
    await room.queue.approve((await room.queue.page())[0].id, by="oscar")


@pytest.mark.requirement("C5")
async def test_C5_given_two_nodes_when_both_play_an_approved_file_then_calls_can_use_it(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path, nodes=2) as room:
        await approved(room)
        with pytest.raises(SoundMissing):
            (await room.directory()).sound(ACCOUNT, HELLO)
        before = await room.database.read(revision)

        assert not await room.distributor.distribute()
        usable = (await room.directory()).sound(ACCOUNT, HELLO)
        assert [node.played for node in room.nodes] == [[room.library.media(usable.digest)]] * 2
        assert await room.database.read(revision) > before

        # What is usable is not tried again.
        await room.distributor.distribute()
        assert len(room.nodes[0].played) == 1


@pytest.mark.requirement("C5")
async def test_C5_given_a_node_that_cannot_play_it_when_approved_then_it_is_not_usable_and_says_why(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path, nodes=2) as room:
        room.nodes[1].trouble = "Asterisk can't open or read the file"
        await approved(room)

        assert await room.distributor.distribute()
        sound = await room.files.get(ACCOUNT, HELLO)
        assert (sound.usable, sound.trouble) == (
            False,
            "node2 can't play it: Asterisk can't open or read the file",
        )

        room.nodes[1].trouble = None
        assert not await room.distributor.distribute()
        sound = await room.files.get(ACCOUNT, HELLO)
        assert (sound.usable, sound.current, sound.trouble) == (True, True, None)


async def test_given_other_sound_that_comes_while_nodes_try_the_first_then_neither_is_taken_for_the_other(
    room: Studio,
) -> None:
    await approved(room, 1)
    waiting = room.nodes[0].check_plays

    async def meanwhile(media: str, seconds: float) -> None:
        await waiting(media, seconds)
        await room.files.upload(ACCOUNT, HELLO, pieces(distinct_prompt(2)))

    room.nodes[0].check_plays = meanwhile  # type: ignore[method-assign]
    await room.distributor.distribute()
    assert not (await room.files.get(ACCOUNT, HELLO)).usable


async def test_given_a_running_distributor_when_woken_then_what_was_approved_becomes_usable(
    room: Studio,
) -> None:
    usable = asyncio.Event()

    async def tell() -> None:
        usable.set()

    room.distributor._on_usable = tell
    running = asyncio.create_task(room.distributor.run())
    await approved(room)
    room.distributor.wake()
    await soon(usable.wait())
    running.cancel()
    assert (await room.files.get(ACCOUNT, HELLO)).usable

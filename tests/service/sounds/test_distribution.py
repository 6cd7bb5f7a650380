"""An approved sound file counts as usable once every node has shown that it plays it."""

import asyncio
import os
from pathlib import Path

import pytest
from service.sounds.support import FakeNode, Studio, pieces, studio
from unit.calls.support import ACCOUNT
from unit.support import soon

from controller.accounts.errors import SoundMissing
from controller.asterisk.errors import CannotPlay
from controller.sounds.distribution import Distributor
from controller.store.directory import revision
from testbed.sounds import distinct_prompt

HELLO = "hello.wav"


async def approved(room: Studio, seed: int = 1, name: str = HELLO) -> None:
    await room.files.upload(ACCOUNT, name, pieces(distinct_prompt(seed)))
    await room.files.submit(ACCOUNT, name, by="dora")
    await room.queue.approve((await room.queue.page())[0].id, by="oscar")


async def owing(room: Studio) -> FakeNode:
    """A node that was away when a file became usable, and still is."""
    away = room.nodes[1]
    away.works = False
    await approved(room)
    await room.distributor.distribute()
    return away


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


@pytest.mark.requirement("C5", "E2")
async def test_C5_given_a_node_that_is_away_when_a_file_is_approved_then_it_is_usable_and_the_node_owes_it(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path, nodes=2) as room:
        there, away = room.nodes
        await room.distributor.catch_up(away)
        away.works = False
        await approved(room)

        assert not await room.distributor.distribute()
        usable = room.library.media((await room.directory()).sound(ACCOUNT, HELLO).digest)
        assert (there.played, away.played) == ([usable], [])

        away.works = True
        await room.distributor.catch_up(away)
        assert away.played == [usable]
        await room.distributor.catch_up(away)
        assert away.played == [usable]


async def test_given_a_node_that_can_not_play_what_it_owes_when_it_is_back_then_it_goes_on_owing_it(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path, nodes=2) as room:
        away = await owing(room)

        away.works, away.trouble = True, "Asterisk can't open or read the file"
        for _ in range(2):
            with pytest.raises(CannotPlay, match="can't open"):
                await room.distributor.catch_up(away)
        away.trouble = None
        await room.distributor.catch_up(away)
        assert len(away.played) == 1


async def test_given_a_node_that_owes_what_is_gone_when_it_is_back_then_nothing_is_asked_of_it(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path, nodes=2) as room:
        away = await owing(room)
        room.library.discard((await room.directory()).sound(ACCOUNT, HELLO).digest)

        away.works = True
        await room.distributor.catch_up(away)
        assert away.played == []


async def test_given_a_node_that_is_lost_while_it_is_asked_when_the_other_plays_then_it_is_usable(
    template: Path, tmp_path: Path
) -> None:
    async with studio(template, tmp_path, nodes=2) as room:
        lost = room.nodes[0]

        async def check_plays(media: str, seconds: float) -> None:
            del media, seconds
            lost.works = False
            raise CannotPlay("the connection was lost")

        lost.check_plays = check_plays  # type: ignore[method-assign]
        await approved(room)

        assert not await room.distributor.distribute()
        assert (await room.files.get(ACCOUNT, HELLO)).usable


@pytest.mark.requirement("C5")
async def test_C5_given_no_node_when_a_file_is_approved_then_it_waits_for_one_and_says_so(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.sounds.distribution._LOOK", 0.01)
    async with studio(template, tmp_path, nodes=2) as room:
        for node in room.nodes:
            node.works = False
        await approved(room)
        assert await room.distributor.distribute()
        sound = await room.files.get(ACCOUNT, HELLO)
        assert (sound.usable, sound.trouble) == (False, "no node is there to play it")

        usable = asyncio.Event()

        async def tell() -> None:
            usable.set()

        room.distributor._on_usable = tell
        running = asyncio.create_task(room.distributor.run())
        await asyncio.sleep(0)
        room.nodes[1].works = True
        await soon(usable.wait())
        running.cancel()
        assert (await room.files.get(ACCOUNT, HELLO)).usable


async def test_given_a_process_that_begins_when_a_node_comes_then_it_plays_what_became_usable_last(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.sounds.distribution._NEWEST", 2)
    async with studio(template, tmp_path) as room:
        digests = []
        for number in range(3):
            await approved(room, number, name := f"hello{number}.wav")
            await room.distributor.distribute()
            digests.append((await room.directory()).sound(ACCOUNT, name).digest)
            os.utime(f"{room.library.file(digests[-1])}.alaw", (number, number))
        node = FakeNode()
        later = Distributor(room.database, room.drafts, room.library, [node], room.distributor._on_usable)

        await later.catch_up(node)
        assert node.played == [room.library.media(digest) for digest in (digests[2], digests[1])]
        await later.catch_up(node)
        assert len(node.played) == 2


async def test_given_many_files_when_one_takes_its_time_then_the_others_are_usable_meanwhile(
    room: Studio,
) -> None:
    waiting, held, gate = room.nodes[0].check_plays, asyncio.Event(), asyncio.Event()

    async def check_plays(media: str, seconds: float) -> None:
        if not held.is_set():
            held.set()
            await gate.wait()
        await waiting(media, seconds)
        if len(room.nodes[0].played) == 3:
            gate.set()

    room.nodes[0].check_plays = check_plays  # type: ignore[method-assign]
    for number in range(4):
        await approved(room, number, f"hello{number}.wav")
    assert not await soon(room.distributor.distribute())

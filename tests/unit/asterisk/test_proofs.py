"""What a node has shown that it plays."""

import asyncio

import pytest

from controller.asterisk.errors import CannotPlay
from controller.asterisk.proofs import Proofs

pytestmark = pytest.mark.requirement("E2")


class Player:
    """Plays what it has, once it may."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, float]] = []
        self.failures: dict[str, int] = {}
        self.begun = asyncio.Event()
        self.may = asyncio.Event()
        self.may.set()

    async def try_out(self, media: str, seconds: float) -> None:
        self.tried.append((media, seconds))
        self.begun.set()
        await self.may.wait()
        if self.failures.get(media, 0) > 0:
            self.failures[media] -= 1
            raise CannotPlay("it can't be had")


async def under_way(askers: int = 1) -> tuple[Player, Proofs, list[asyncio.Task[None]]]:
    """One medium is being tried, which goes on when it may; so many ask for it."""
    player = Player()
    player.may.clear()
    proofs = Proofs(player.try_out)
    asking = [asyncio.create_task(proofs.check({"one": 0.5})) for _ in range(askers)]
    await player.begun.wait()
    return player, proofs, asking


async def test_E2_given_media_when_asked_again_then_only_new_ones_are_tried_until_all_is_forgotten() -> None:
    player = Player()
    proofs = Proofs(player.try_out)

    await proofs.check({"one": 0.5, "two": 0.7})
    await proofs.check({"two": 0.7, "three": 0.9})
    first = list(player.tried)
    proofs.forget()
    await proofs.check({"two": 0.7})

    assert first == [("one", 0.5), ("two", 0.7), ("three", 0.9)]
    assert player.tried[3:] == [("two", 0.7)]


async def test_E2_given_a_medium_that_fails_when_asked_then_it_is_tried_twice_each_time() -> None:
    player = Player()
    player.failures = {"one": 3}
    proofs = Proofs(player.try_out)

    with pytest.raises(CannotPlay):
        await proofs.check({"one": 0.5})
    assert len(player.tried) == 2

    await proofs.check({"one": 0.5})
    assert len(player.tried) == 4


async def test_E2_given_several_that_ask_when_one_gives_up_then_it_is_tried_once_and_the_others_hear() -> (
    None
):
    player, _, asking = await under_way(3)

    asking.pop().cancel()
    player.may.set()
    await asyncio.gather(*asking)

    assert player.tried == [("one", 0.5)]


async def test_E2_given_a_try_under_way_when_all_is_forgotten_then_it_proves_nothing_for_later() -> None:
    player, proofs, [asking] = await under_way()

    proofs.forget()
    player.may.set()
    await asking
    await proofs.check({"one": 0.5})

    assert len(player.tried) == 2


async def test_E2_given_a_try_under_way_when_closed_then_it_ends() -> None:
    _, proofs, [asking] = await under_way()

    await proofs.close()

    with pytest.raises(asyncio.CancelledError):
        await asking

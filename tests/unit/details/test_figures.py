"""What is looked at for all who ask: how old it may be, and who waits for it."""

import asyncio

import pytest

from controller.details.figures import _PATIENCE, _REST, _Shared

pytestmark = [pytest.mark.requirement("C9"), pytest.mark.virtual_time]


class Looks:
    """Counts looks, each of which takes as long as it is set to."""

    def __init__(self, takes: float) -> None:
        self.takes = takes
        self.looks = 0

    async def __call__(self) -> int:
        self.looks += 1
        number = self.looks
        await asyncio.sleep(self.takes)
        return number


async def test_given_many_who_ask_at_once_when_looked_then_it_is_one_look_for_all() -> None:
    looks = Looks(0.05)
    shared = _Shared(looks)

    assert await asyncio.gather(*(shared.get() for _ in range(20))) == [1] * 20


async def test_given_a_look_that_is_half_a_second_old_when_asked_then_there_is_a_new_one() -> None:
    looks = Looks(0.01)
    shared = _Shared(looks, patience=_PATIENCE, rest=_REST)
    assert await shared.get() == 1

    await asyncio.sleep(0.5)

    assert await shared.get() == 2


async def test_given_a_look_that_takes_long_when_asked_then_nobody_waits_for_it_and_it_comes_later() -> None:
    looks = Looks(0.01)
    shared = _Shared(looks, patience=_PATIENCE, rest=_REST)
    await shared.get()
    await asyncio.sleep(0.5)
    looks.takes = 3.0

    began = asyncio.get_running_loop().time()
    assert await shared.get() == 1
    assert asyncio.get_running_loop().time() - began <= _PATIENCE + 0.01

    await asyncio.sleep(3)
    assert await shared.get() == 2
    # It rests longer than it took.
    await asyncio.sleep(2)
    assert await shared.get() == 2
    assert looks.looks == 2


async def test_given_a_look_that_fails_when_asked_then_who_asks_learns_of_it_and_the_next_is_new() -> None:
    answers = iter([1, RuntimeError("the database is away"), 3])

    async def look() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shared = _Shared(look, patience=_PATIENCE)
    assert await shared.get() == 1
    await asyncio.sleep(0.5)
    with pytest.raises(RuntimeError):
        await shared.get()
    assert await shared.get() == 3

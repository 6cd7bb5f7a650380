"""The same done with many things, some of them at once."""

import asyncio

import pytest
from unit.support import soon

from controller.calls.at_once import each


async def test_given_many_things_when_some_are_done_at_once_then_all_are_and_never_more_at_once() -> None:
    under_way, most, done = 0, 0, []

    async def doing(thing: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done.append(thing)

    await soon(each(range(20), doing, at_once=3))
    assert (sorted(done), most) == (list(range(20)), 3)


async def test_given_one_that_fails_when_done_then_its_error_is_raised_and_nothing_stays_under_way() -> None:
    begun = []

    async def doing(thing: int) -> None:
        begun.append(thing)
        if thing == 2:
            raise ValueError(thing)
        await asyncio.Event().wait()

    with pytest.raises(ValueError, match="2"):
        await soon(each(range(20), doing, at_once=3))
    assert (begun, len(asyncio.all_tasks())) == ([0, 1, 2], 1)


async def test_given_nothing_when_done_then_nothing_is() -> None:
    await soon(each([], pytest.fail, at_once=3))

"""Limits in time, in tasks that were cancelled and in others."""

import asyncio

import pytest

from controller.time_limit import time_limit

pytestmark = pytest.mark.virtual_time


@pytest.mark.requirement("E4")
async def test_given_a_cancelled_task_when_its_tidying_takes_too_long_then_the_next_step_follows() -> None:
    begun, steps = asyncio.Event(), []

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            try:
                async with time_limit(1):
                    await asyncio.Event().wait()
            except TimeoutError:
                steps.append("too long")
            await asyncio.sleep(1)
            steps.append("the next step")

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["too long", "the next step"]


async def test_given_a_task_that_is_cancelled_within_its_limit_when_it_ends_then_it_was_cancelled() -> None:
    async def work() -> None:
        async with time_limit(10):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_given_no_limit_when_it_takes_long_then_it_may() -> None:
    async with time_limit(None):
        await asyncio.sleep(3600)


async def test_given_a_limit_when_it_takes_longer_then_that_is_said() -> None:
    with pytest.raises(TimeoutError):
        async with time_limit(1):
            await asyncio.sleep(2)

"""What is due is done when it is due, also what comes while it is looked."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from controller.clock import SystemClock
from controller.pushes.due import LOOK_AGAIN, DueLoop


@pytest.mark.requirement("B2")
async def test_given_a_look_that_misses_what_is_told_meanwhile_when_that_is_due_then_there_is_another() -> (
    None
):
    looks: list[datetime] = []
    seen = asyncio.Event()
    soon = timedelta(seconds=0.1)

    async def start_due(now: datetime) -> None:
        looks.append(now)
        if len(looks) == 1:
            # Committed after the database was read.
            loop.wake(datetime.now(UTC) + soon)
        else:
            seen.set()

    loop = DueLoop(SystemClock(), start_due)
    running = asyncio.create_task(loop.run())
    async with asyncio.timeout(LOOK_AGAIN.total_seconds() - 1):
        await seen.wait()
    running.cancel()

    assert looks[1] - looks[0] >= soon

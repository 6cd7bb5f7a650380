"""How long a controller may be sure that its calls are its own."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from controller.clock import SystemClock
from controller.membership import membership as module
from controller.membership.membership import CERTAIN, Membership

pytestmark = pytest.mark.requirement("E2")


class Writing:
    """A database that writes when it may."""

    def __init__(self) -> None:
        self.fence: Callable[[Any], None] | None = None
        self.may_answer = asyncio.Semaphore(1)
        self.asked = asyncio.Event()

    async def read(self, work: Callable[[Any], Any]) -> None:
        """Nobody had this name before."""

    async def write(self, work: Callable[[Any], Any]) -> int:
        self.asked.set()
        await self.may_answer.acquire()
        return 1


async def test_E2_given_a_machine_that_slept_when_it_wakes_then_nothing_is_certain_until_a_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asleep = [0.0]
    clock = module._now
    monkeypatch.setattr(module, "_now", lambda: clock() + asleep[0])
    database = Writing()
    membership = Membership(
        cast(Any, database), "a", "voicecall-a", ["node1"], SystemClock(), lambda _reason: None
    )
    await membership.join()
    assert membership.certain

    living = asyncio.create_task(membership.live())
    database.asked.clear()
    await database.asked.wait()
    asleep[0] = CERTAIN + 1
    certain = asyncio.create_task(membership.wait_certain())
    database.asked.clear()
    database.may_answer.release()
    await database.asked.wait()
    # What was asked before it slept says nothing of now, though the answer came after.
    assert not membership.certain and not certain.done()
    database.may_answer.release()
    await asyncio.wait_for(certain, 5)

    assert membership.certain
    living.cancel()

"""How long a controller may be sure that its calls are its own."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from controller.clock import SystemClock
from controller.membership import membership as module
from controller.membership.membership import BEAT, CERTAIN, GONE, Membership
from controller.store.controllers import Pulse

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


class Readable:
    """A database in which another controller gives no sign of life; whether it takes writes is the test's."""

    fence: Callable[[Any], None] | None = None
    found: list[Pulse] | None = None

    async def read(self, work: Callable[[Any], Any]) -> list[Pulse] | None:
        return self.found

    async def write(self, work: Callable[[Any], Any]) -> int:
        return 1


async def test_E2_given_a_database_that_takes_nothing_when_it_does_again_then_others_get_time_to_beat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(module, "_now", lambda: now)
    database = Readable()
    membership = Membership(
        cast(Any, database), "a", "voicecall-a", ["node1"], SystemClock(), lambda _reason: None
    )
    await membership.join()
    other = Pulse("b", 1, 1, frozenset({"node1"}), left=False)
    database.found = [other]
    # A standby: it can be read, and nobody can say that they live.
    for now in range(1, 20):  # noqa: B007
        assert await membership._silent() == []

    since = now
    while (silent := await membership._silent()) == []:
        now += BEAT
        membership._has_beaten(now)
    assert silent == [other]
    assert now - since >= GONE

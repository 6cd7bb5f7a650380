"""More calls than a platform can make at a time: refused early, and those that were accepted don't notice."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from testbed.client import OVERLOADED, Answer
from testbed.platform import PLENTY
from tests.crash import invariants
from tests.crash.conftest import StartWorld
from tests.crash.world import World

pytestmark = pytest.mark.requirement("E4")


async def flood(world: World, calls: int, **fields: Any) -> tuple[list[Answer], list[Answer]]:
    """Ask for so many at once; (accepted, refused)."""
    answers = await asyncio.gather(*(world.ask("notification", **fields) for _ in range(calls)))
    accepted = [answer for answer in answers if answer.code == "0"]
    world.accepted |= {answer.session_id: "flood" for answer in accepted}
    refused = [answer for answer in answers if answer.code != "0"]
    for answer in refused:
        assert (answer.status, answer.code) == (503, OVERLOADED), answer.text
        assert answer.headers["Retry-After"] == "1"
    return accepted, refused


async def ended_well(world: World, accepted: list[Answer]) -> None:
    for answer in accepted:
        disconnect = await world.receiver.wait_status(answer.session_id, "disconnect", 60)
        assert disconnect.info["stateCode"] == 0
    await invariants.quiet(world)
    assert await invariants.next_calls_work(world) == []
    await invariants.quiet(world)
    assert invariants.faults(world) == []


@asynccontextmanager
async def slowed(world: World, running: float, stopped: float) -> AsyncIterator[None]:
    """Asterisk gets a small part of the time."""
    process = world.home.asterisk.process

    async def slow_down() -> None:
        while True:
            process.send_signal(signal.SIGSTOP)
            await asyncio.sleep(stopped)
            process.send_signal(signal.SIGCONT)
            await asyncio.sleep(running)

    slowing = asyncio.create_task(slow_down())
    try:
        yield
    finally:
        slowing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await slowing
        process.send_signal(signal.SIGCONT)


async def test_E4_given_as_many_calls_as_may_be_when_more_are_asked_for_at_once_then_those_are_refused(
    world: StartWorld,
) -> None:
    w = await world(sections={"limits": PLENTY.model_copy(update={"max_calls": 20})})

    # Each of them hangs up 8 s after the answer: as soon as they are over, there is place again.
    lasting: dict[str, Any] = {"calleeNbr": "+99901600008", "playInfoList": [{"notifyVoice": "long.wav"}]}
    accepted = await asyncio.gather(*(w.ask_patiently("notification", **lasting) for _ in range(20)))
    assert {answer.code for answer in accepted} == {"0"}
    w.accepted |= {answer.session_id: "lasting" for answer in accepted}
    too_many, refused = await flood(w, 40, **lasting)

    assert (len(too_many), len(refused)) == (0, 40)
    assert w.sql("select count(*) from call") == [(20,)]
    await ended_well(w, accepted)


async def test_E4_given_an_asterisk_that_is_slow_when_its_commands_are_late_then_no_more_calls_are_taken(
    world: StartWorld,
) -> None:
    w = await world(node={"commands_in_flight": 1, "command_timeout": 10.0})
    accepted: list[Answer] = []
    refused: list[Answer] = []
    # A fast machine does some twenty commands in a hundredth of a second: fewer than these calls take.
    async with slowed(w, running=0.01, stopped=0.4):
        for _ in range(100):
            taken, turned_away = await flood(w, 5)
            accepted += taken
            refused += turned_away
            await asyncio.sleep(0.1)
            if len(refused) >= 5:
                break

    assert accepted
    assert refused
    await ended_well(w, accepted)

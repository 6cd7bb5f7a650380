"""A controller that is asked to end: calls may end first, conversations go on with the next one."""

import asyncio
import signal

import aiohttp
import pytest

from tests.crash import invariants
from tests.crash.conftest import StartWorld
from tests.crash.stages import STEADY, Place, Scene
from tests.crash.world import ANSWERS, ANSWERS_AND_HANGS_UP, CALLS, World

pytestmark = pytest.mark.requirement("E4")

STAYING = [place for place in STEADY if place.stage in ("ringing", "prompt", "talking", "recording")]
DRAINING = {"calls": CALLS.model_copy(update={"drain_timeout": 5.0})}


def final_states(world: World) -> dict[str, int | None]:
    return dict(world.sql("select session_id, state_code from call"))


async def drains(world: World) -> None:
    """Wait until the controller has begun to."""
    assert world.controller is not None
    async with aiohttp.ClientSession(world.controller.url) as http:
        while True:
            async with http.get("/readyz?verbose=1") as answer:
                if not (await answer.json())["parts"]["controller"]:
                    return
            await asyncio.sleep(0.02)  # nothing outside tells when


async def ended_by(world: World, number: signal.Signals) -> None:
    """Ask the controller to end, and wait until it has; meanwhile it takes no calls."""
    assert world.controller is not None
    world.controller.send(number)
    # Less than it drains for.
    async with asyncio.timeout(4):
        await drains(world)
    answer = await world.ask("notification")
    assert (answer.status, answer.code) == (503, "1010001")
    assert await world.controller.ended() == 0
    await world.stop_controller()


async def test_E4_given_running_calls_when_upgraded_then_short_ones_end_and_conversations_go_on(
    world: StartWorld,
) -> None:
    w = await world(sections=DRAINING)
    scene = Scene(w)
    await scene.bring_on(STAYING)
    short = await w.start(
        "short", "notification", calleeNbr=ANSWERS_AND_HANGS_UP, playInfoList=[{"notifyVoice": "long.wav"}]
    )

    await ended_by(w, signal.SIGTERM)

    talks = [session for session, place in scene.steady.items() if place.stage in ("talking", "recording")]
    states = final_states(w)
    assert states.pop(short) == 0
    assert {session for session, state in states.items() if state is None} == set(talks)
    assert {state for state in states.values() if state is not None} == {8000}
    assert len(await w.on_asterisk("bridges")) == len(talks)

    await w.start_controller()
    for session in talks:
        assert (await w.stop(session)).code == "0"
    await invariants.quiet(w)
    assert await invariants.next_calls_work(w) == []
    await invariants.quiet(w)
    assert invariants.faults(w) == []
    states = final_states(w)
    assert {states[session] for session in talks} == {8017}


async def test_E4_given_a_conversation_when_a_person_ends_the_controller_then_it_ends_too(
    world: StartWorld,
) -> None:
    w = await world(sections=DRAINING)
    talking = Place("talking", "callback", {"calleeNbr": ANSWERS}, ("answer", "b"))
    scene = Scene(w)
    await scene.bring_on([talking])

    await ended_by(w, signal.SIGINT)

    assert set(final_states(w).values()) == {8000}
    assert await w.on_asterisk("channels") == []

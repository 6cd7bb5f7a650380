"""More calls than can be made: refused early, and those that run don't notice."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from unit.calls.support import House, running_house
from unit.support import soon

from controller.api.wire.handlers import wire_error
from controller.ari.fake import ANSWERS, FakeAsterisk
from controller.calls.brake import Brake, Overloaded, Wait

pytestmark = pytest.mark.requirement("E4")


def brake_of(house: House, brake: Brake) -> None:
    house.service._brake = brake


async def test_given_as_many_calls_as_a_controller_runs_when_one_ends_then_the_next_is_taken_at_once(
    house: House,
) -> None:
    brake_of(house, Brake(max_calls=2))
    first, second = await house.start(), await house.start()
    with pytest.raises(Overloaded):
        await house.start()
    assert await house.live_rows() == 2

    house.asterisk.phone(next(iter(house.asterisk.channels))).hang_up()
    await house.ended(first)
    third = await house.start()
    assert {third.session_id, second.session_id} == {call.session_id for call in house.service.live}


async def test_given_an_asterisk_that_is_slow_when_commands_wait_then_calls_are_refused_until_they_don_t(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path, commands_in_flight=1) as house:
        node = house.node
        house.phone_does(ANSWERS)
        asterisk.sounds = lambda _media: 0.01
        asterisk.faults.delay_answers(0.1, "channels.originate")
        accepted = await asyncio.gather(*(house.start(max_calls=100) for _ in range(20)))
        brake_of(house, Brake(waits=[Wait("commands", lambda: node.ari.longest_wait, 0.1)]))
        await asyncio.sleep(0.2)

        with pytest.raises(Overloaded):
            await house.start(max_calls=100)
        assert await house.live_rows() == len(accepted)

        ends = [await house.ended(one) for one in accepted]
        assert [end.state_code for end in ends] == [0] * len(accepted)
        assert node.ari.longest_wait == 0
        asterisk.faults.clear()
        assert (await house.call()).state_code == 0


async def test_given_a_loop_that_was_held_up_when_it_is_in_time_again_then_so_are_calls(house: House) -> None:
    brake = Brake()
    brake_of(house, brake)
    watching = asyncio.create_task(brake.run())
    await asyncio.sleep(0.02)
    # Somebody holds up everybody.
    asyncio.get_running_loop().call_soon(_hold_up, 1.3)
    async with asyncio.timeout(10):
        while brake._late <= 1.0:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
    with pytest.raises(Overloaded):
        await house.start()

    async with asyncio.timeout(5):
        while True:
            try:
                await house.start()
                break
            except Overloaded:
                await asyncio.sleep(0.05)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def _hold_up(seconds: float) -> None:
    time.sleep(seconds)


async def test_given_a_database_that_is_held_up_when_asked_how_long_then_the_oldest_write_counts(
    house: House,
) -> None:
    held = threading.Event()

    def hold(_session: Any) -> None:
        held.wait(5)

    writing = asyncio.ensure_future(house.database.write(hold))
    await asyncio.sleep(0.15)
    assert 0.1 < house.database.longest_wait < 5
    held.set()
    await soon(writing)
    assert house.database.longest_wait == 0


def test_given_too_much_to_do_when_answered_then_503_with_its_code_and_when_to_ask_again() -> None:
    error = wire_error(Overloaded())

    assert (error.status, error.result.code, error.headers) == (503, "1010010", {"Retry-After": "1"})

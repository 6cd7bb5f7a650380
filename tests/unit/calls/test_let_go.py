"""What a call has made is gone with it, without a search for garbage, which would stop everything."""

import asyncio
import gc
from collections.abc import Iterator

import pytest
from unit.calls.support import SHOWN, House

from controller.ari.fake import ANSWERS
from controller.calls.brake import Overloaded
from controller.calls.call import Callback, Plan
from controller.calls.leg import Leg
from controller.phone_number import PhoneNumber

CALLBACK = Callback(callee=PhoneNumber("+8613900002222"), display_number=SHOWN)


@pytest.fixture
def no_search() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left(kind: type) -> list[object]:
    return [it for it in gc.get_objects() if isinstance(it, kind)]


@pytest.mark.usefixtures("no_search")
@pytest.mark.parametrize("plan", [None, CALLBACK], ids=["notification", "callback"])
async def test_given_a_call_when_it_is_over_then_nothing_of_it_is_left_without_a_search_for_garbage(
    house: House, plan: Plan | None
) -> None:
    house.phone_does(ANSWERS)
    accepted = await house.start() if plan is None else await house.start(plan=plan)
    if plan is not None:
        await house.asterisk.until(lambda: house.asked.count("bridges.addChannel") == 2)
        house.asterisk.phone(f"{accepted.session_id.partition('@')[0]}.b").hang_up()
    await house.ended(accepted)
    await house.idle()

    assert left(Leg) == []


@pytest.mark.usefixtures("no_search")
async def test_given_a_refusal_when_it_is_told_then_nothing_of_it_is_left_without_a_search_for_garbage(
    house: House,
) -> None:
    house.service._brake.check = lambda live: _refuse()  # type: ignore[method-assign]
    await refused(house)
    await asyncio.sleep(0)  # until then the loop holds what it has just told

    assert left(Overloaded) == []


async def refused(house: House) -> None:
    # `pytest.raises` would keep it.
    try:
        await house.start()
    except Overloaded:
        return
    pytest.fail("the call was taken")


def _refuse() -> None:
    raise Overloaded("too much waits: commands for Asterisk")

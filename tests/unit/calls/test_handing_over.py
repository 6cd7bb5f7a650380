"""A controller that ends leaves its conversations as they are, and the next one goes on with them."""

import asyncio
import math
from pathlib import Path

import pytest
from unit.calls.support import APP, SHOWN, House, running_house
from unit.support import soon

from controller.ari.fake import ANSWERS, FakeAsterisk
from controller.calls.call import Callback, LiveCall
from controller.calls.service import Accepted
from controller.calls.timeline import Kind
from controller.phone_number import PhoneNumber

pytestmark = pytest.mark.requirement("E4")


async def talking(house: House, *, record: bool = False) -> Accepted:
    """A callback whose phones talk."""
    house.phone_does(ANSWERS)
    plan = Callback(callee=PhoneNumber("+8613900002222"), display_number=SHOWN, record=record)
    accepted = await house.start(plan=plan)
    await house.told.until(accepted.session_id, Kind.ANSWER, 2)
    if record:
        await house.told.until(accepted.session_id, Kind.RECORDING)
    return accepted


@pytest.mark.parametrize("record", [False, True])
async def test_given_a_conversation_when_its_controller_hands_over_then_the_next_one_ends_it_with_one_record(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path, record: bool
) -> None:
    async with running_house(asterisk, template, tmp_path) as house:
        accepted = await talking(house, record=record)
        await house.service.drain(0, hands_over=lambda: True)
        assert (len(asterisk.channels), len(asterisk.left["bridges"])) == (2, 1)
        assert (await house.live_rows(), await house.cdrs()) == (1, {})

    async with running_house(asterisk, template, tmp_path) as house:
        assert len(house.service.running_ids) == 1
        for channel in list(asterisk.channels)[:1]:
            asterisk.phone(channel).hang_up()
        ended = await house.ended(accepted)
        await house.idle()
        assert ended.state_code == 0
        assert (ended.cdr["recording_started_at"] is not None) is (
            record and bool(ended.cdr["recording_name"])
        )
    assert not any(asterisk.left.values())


async def test_given_a_conversation_handed_over_when_asterisk_reconnects_before_the_end_then_it_is_left_alone(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path) as house:
        await talking(house)
        await house.service.drain(0, hands_over=lambda: True)
        await house.reconnect()
        assert (house.service.live_ids, await house.live_rows()) == (frozenset(), 1)

    async with running_house(asterisk, template, tmp_path) as house:
        assert len(house.service.running_ids) == 1
        assert len(asterisk.channels) == 2


async def test_given_a_conversation_that_is_taken_over_when_the_socket_is_cut_meanwhile_then_it_goes_on(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path) as house:
        accepted = await talking(house)
        await house.service.drain(0, hands_over=lambda: True)

    for first_request in ("bridges.create", "channels.get"):
        asterisk.faults.delay_answers(math.inf, first_request)
    before = len(asterisk.requests)
    async with running_house(asterisk, template, tmp_path) as house:
        operations = {"bridges.create", "channels.get"}
        await asterisk.until(
            lambda: operations & {request.operation for request in list(asterisk.requests)[before:]}
        )
        await house.reconnect()
        assert (len(house.service.running_ids), len(asterisk.channels)) == (1, 2)
        asterisk.phone(next(iter(asterisk.channels))).hang_up()
        assert (await house.ended(accepted)).state_code == 0


async def test_given_a_call_that_was_taken_over_when_it_is_ended_at_once_then_both_phones_are_hung_up(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path) as house:
        accepted = await talking(house)
        await house.service.drain(0, hands_over=lambda: True)

    # The flow has not come further than its first phone.
    asterisk.faults.delay_answers(0.5, "channels.get")
    async with running_house(asterisk, template, tmp_path) as house:
        assert house.service.stop(accepted.session_id, APP)
        ended = await house.ended(accepted)
        await house.idle()
        assert ended.state_code == 8017


async def test_given_calls_that_do_not_talk_when_handed_over_then_each_is_closed(house: House) -> None:
    accepted = await house.start()
    await asyncio.sleep(0)
    await soon(house.service.drain(0, hands_over=lambda: True))

    assert (await house.ended(accepted)).state_code == 8000
    await house.idle()


async def test_given_a_call_just_made_when_it_is_cut_off_then_it_is_closed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = house.service._begin

    def begin_and_cut_off(call: LiveCall) -> None:
        begin(call)
        house.service.cut_off(call.id)

    monkeypatch.setattr(house.service, "_begin", begin_and_cut_off)
    accepted = await house.start()

    assert (await house.ended(accepted)).state_code == 7108

"""Calls that are stopped while they end by themselves, or while something is made: nothing is left behind."""

import asyncio

import pytest
from unit.calls.support import APP, SHOWN, House, crowded, until_somebody_waits

from controller.ari.fake import ANSWERS
from controller.calls.call import Callback
from controller.calls.service import Accepted
from controller.calls.timeline import Kind
from controller.phone_number import PhoneNumber
from controller.store.tables import Recording

pytestmark = pytest.mark.requirement("A1.6")


async def called_back(house: House, *, record: bool = False) -> Accepted:
    house.phone_does(ANSWERS)
    plan = Callback(callee=PhoneNumber("+8613900002222"), display_number=SHOWN, record=record)
    return await house.start(plan=plan)


async def talking(house: House, *, record: bool = False) -> Accepted:
    accepted = await called_back(house, record=record)
    await house.told.until(accepted.session_id, Kind.RECORDING if record else Kind.ANSWER, 1 if record else 2)
    async with asyncio.timeout(5):
        joins = 1 if record else 2
        while house.asked.count("bridges.addChannel") < joins or house.node.ari.in_flight:  # noqa: ASYNC110
            await asyncio.sleep(0)
    return accepted


@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("hangs_up", ["a", "b"])
async def test_given_a_phone_that_hung_up_when_stopped_before_the_other_is_hung_up_then_it_is_all_the_same(
    house: House, hangs_up: str, record: bool
) -> None:
    accepted = await talking(house, record=record)
    async with crowded(house):
        house.asterisk.phone(f"{accepted.session_id.partition('@')[0]}.{hangs_up}").hang_up()
        await until_somebody_waits(house)
        house.service.stop(accepted.session_id, APP)
        await asyncio.sleep(0.01)
    await house.ended(accepted)

    await house.idle()
    assert not any(house.asterisk.left.values())


async def test_given_a_bridge_that_is_being_made_when_the_call_is_stopped_then_it_is_gone(
    house: House,
) -> None:
    house.asterisk.faults.delay_answers(0.2, "bridges.create")
    accepted = await called_back(house)
    await house.asterisk.until(lambda: "bridges.create" in house.asked)
    house.service.stop(accepted.session_id, APP)
    ended = await house.ended(accepted)

    await house.idle()
    assert ended.state_code == 8017
    assert not any(house.asterisk.left.values())


async def test_given_a_recording_that_is_being_completed_when_the_call_is_stopped_then_its_bridge_is_gone(
    house: House,
) -> None:
    accepted = await talking(house, record=True)
    house.asterisk.faults.omit("RecordingFinished")
    house.asterisk.phone(next(iter(house.asterisk.channels))).hang_up()
    await house.asterisk.until(
        lambda: "recordings.stop" in [one.operation for one in house.asterisk.requests]
    )
    house.service.stop(accepted.session_id, APP)
    await house.ended(accepted)

    await house.idle()
    assert house.asterisk.left["bridges"] == []


async def test_A1_5_given_a_recording_that_is_being_begun_when_a_phone_hangs_up_then_it_is_to_be_discarded(
    house: House,
) -> None:
    house.asterisk.faults.delay_answers(1.0, "bridges.record")
    accepted = await called_back(house, record=True)
    await house.asterisk.until(lambda: "bridges.record" in house.asked)
    house.asterisk.phone(next(iter(house.asterisk.channels))).hang_up()
    ended = await house.ended(accepted)

    await house.idle()
    assert ended.cdr["recording_name"] is None
    assert [(row.call_id, row.state) for row in await house.rows(Recording)] == [
        (name, "discard") for name in house.asterisk.stored_recordings
    ]
    assert len(house.asterisk.stored_recordings) == 1


async def test_given_asterisk_that_refuses_to_end_something_when_the_call_ends_then_the_log_names_the_call(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    accepted = await talking(house)
    house.asterisk.faults.answer("bridges.destroy", 409)
    house.service.stop(accepted.session_id, APP)
    await house.ended(accepted)
    await house.idle()

    told = [vars(record) for record in caplog.records if "refuses to end" in record.getMessage()]
    assert [record["call"] for record in told] == [accepted.session_id.partition("@")[0]]

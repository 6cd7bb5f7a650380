"""Calls whose node is lost, or whose connection has a gap."""

import math
from pathlib import Path

import pytest
from unit.ari.raw import raw_client
from unit.calls.support import APP, PATIENT, SHOWN, House, item, running_house
from unit.support import soon

from controller.ari.fake import ANSWERS, WAITS, Behaviour, FakeAsterisk, FakePhone
from controller.asterisk import node
from controller.asterisk.errors import NodeUnavailable
from controller.calls import conversation
from controller.calls.call import Callback
from controller.calls.service import Accepted
from controller.calls.timeline import Kind
from controller.phone_number import PhoneNumber


async def rings(house: House, *items: object) -> tuple[Accepted, FakePhone]:
    """A call whose phone rings."""
    house.phone_does(WAITS)
    accepted = await house.start(*items)  # type: ignore[arg-type]
    await house.asterisk.told("Dial")
    (channel_id,) = house.asterisk.channels
    phone = house.asterisk.phone(channel_id)
    phone.ring()
    await house.told.until(accepted.session_id, Kind.ALERTING)
    return accepted, phone


async def plays(house: House, *items: object) -> tuple[Accepted, FakePhone]:
    """A call whose phone hears a prompt that does not end by itself."""
    house.asterisk.sounds = lambda _media: math.inf
    accepted, phone = await rings(house, *items)
    phone.answer()
    await house.asterisk.told("PlaybackStarted")
    await house.told.until(accepted.session_id, Kind.PROMPT)
    return accepted, phone


async def gap(house: House, *happens: object) -> None:
    """The socket is cut, things happen, the socket is regained."""
    house.asterisk.refuse_connections()
    house.asterisk.drop_sockets()
    await soon(house.node.ari.wait_lost())
    for step in happens:
        step()  # type: ignore[operator]
    house.asterisk.refuse_connections(False)
    await soon(house.node.ari.wait_ready())


async def test_given_a_phone_that_rings_when_the_socket_is_cut_and_regained_then_the_call_goes_on(
    house: House,
) -> None:
    accepted, phone = await rings(house)
    await gap(house)
    phone.answer()
    ended = await house.ended(accepted)
    assert ended.state_code == 0
    assert ended.kinds == [Kind.CALLOUT, Kind.ALERTING, Kind.ANSWER, Kind.PROMPT, Kind.DISCONNECT]


async def test_given_a_phone_that_answers_in_the_gap_when_the_socket_is_regained_then_its_call_is_closed(
    house: House,
) -> None:
    # Asterisk hangs up a phone that answers while nobody listens to the application.
    accepted, phone = await rings(house)
    await gap(house, phone.answer)
    ended = await house.ended(accepted)
    assert ended.state_code == 8000
    assert ended.kinds == [Kind.CALLOUT, Kind.ALERTING, Kind.DISCONNECT]
    await house.idle()


async def test_given_a_phone_that_begins_to_ring_in_the_gap_when_the_socket_is_regained_then_it_rings(
    house: House,
) -> None:
    house.phone_does(WAITS)
    accepted = await house.start()
    await house.told.until(accepted.session_id, Kind.CALLOUT)
    (channel_id,) = house.asterisk.channels
    phone = house.asterisk.phone(channel_id)
    await gap(house, phone.ring)
    await house.told.until(accepted.session_id, Kind.ALERTING)
    phone.answer()
    assert (await house.ended(accepted)).state_code == 0


async def test_given_a_phone_that_refuses_in_the_gap_when_the_socket_is_regained_then_nobody_knows_why(
    house: House,
) -> None:
    accepted, phone = await rings(house)
    await gap(house, lambda: phone.refuse(486))
    assert (await house.ended(accepted)).state_code == 8000


async def test_given_a_prompt_that_plays_when_the_socket_is_cut_and_regained_then_it_is_not_played_again(
    house: House,
) -> None:
    accepted, _phone = await plays(house, item("one"), item("two"))
    await gap(house)
    house.asterisk.sounds = lambda _media: 0.0
    first = next(it for it in house.asterisk.requests if it.operation == "channels.play")
    await house.node.ari.playbacks.stop(first.parameters["playbackId"])
    assert (await house.ended(accepted)).state_code == 0
    assert house.asked.count("channels.play") == 2


async def test_given_a_prompt_that_ends_in_the_gap_when_the_socket_is_regained_then_the_next_one_is_played(
    house: House,
) -> None:
    house.asterisk.sounds = {"sound:one": 1.0, "sound:two": 0.0}.__getitem__
    house.phone_does(ANSWERS)
    accepted = await house.start(item("one"), item("two"))
    await house.told.until(accepted.session_id, Kind.PROMPT)
    house.asterisk.refuse_connections()
    house.asterisk.drop_sockets()
    await house.asterisk.told("PlaybackFinished")
    assert house.asked.count("channels.play") == 1
    house.asterisk.refuse_connections(False)
    assert (await house.ended(accepted)).state_code == 0
    assert house.asked.count("channels.play") == 2


async def test_given_digits_are_awaited_when_the_socket_is_cut_and_regained_then_they_still_count(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path, PATIENT) as house:
        accepted, phone = await plays(house, item("ask", collect=2))
        phone.press("1")
        await asterisk.requested("playbacks.stop")
        await gap(house)
        phone.press("2")
        ended = await house.ended(accepted)
    assert (ended.state_code, ended.keys) == (0, "12")


async def test_given_a_callee_who_hangs_up_in_the_gap_when_the_socket_is_regained_then_the_call_is_closed(
    house: House,
) -> None:
    accepted, phone = await plays(house)
    await gap(house, phone.hang_up)
    ended = await house.ended(accepted)
    assert ended.state_code == 8000
    assert ended.cdr["first_leg"]["answered"] is not None
    assert await house.live_rows() == 0


@pytest.mark.requirement("E4")
async def test_given_a_call_when_asterisk_is_restarted_then_it_is_over_and_the_next_one_works(
    house: House,
) -> None:
    accepted, _phone = await plays(house)
    house.asterisk.restart()
    assert (await house.ended(accepted)).state_code == 8000
    await soon(house.node.ari.wait_ready())
    house.asterisk.sounds = lambda _media: 0.0
    assert (await house.call(behaviour=ANSWERS)).state_code == 0


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("stage", ["rings", "plays"])
async def test_given_a_call_when_its_node_stays_away_then_it_is_given_up_in_time_and_hung_up_later(
    house: House, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    monkeypatch.setattr(node, "_LOST_AFTER", 0.1)
    accepted, _phone = await (rings if stage == "rings" else plays)(house)
    house.asterisk.refuse_connections()
    house.asterisk.drop_sockets()
    assert (await house.ended(accepted)).state_code == 8000
    assert await house.live_rows() == 0
    with pytest.raises(NodeUnavailable):
        await house.start()
    # The phone was not told yet; it is when the node is there again.
    assert len(house.asterisk.channels) == 1
    house.asterisk.refuse_connections(False)
    await house.idle()
    await soon(house.node.ari.wait_ready())


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("operation", ["channels.originate", "channels.play"])
async def test_given_a_request_is_under_way_when_the_socket_is_cut_then_the_call_ends_and_nothing_is_left(
    house: House, operation: str
) -> None:
    house.phone_does(Behaviour(hang_up_after=None))
    house.asterisk.faults.delay_answers(math.inf, operation)
    accepted = await house.start()
    await house.asterisk.requested(operation)
    house.asterisk.drop_sockets()
    assert (await house.ended(accepted)).state_code == 8000
    await soon(house.node.ari.wait_ready())
    await house.idle()
    assert await house.live_rows() == 0


@pytest.mark.requirement("E4", "A1.4")
async def test_given_a_callback_whose_b_has_just_answered_when_the_socket_is_cut_then_the_two_go_on_talking(
    house: House,
) -> None:
    callee = PhoneNumber("+8613900002222")
    house.asterisk.phones = lambda endpoint, _: WAITS if callee.e164 in endpoint else ANSWERS
    accepted = await house.start(plan=Callback(callee=callee, display_number=SHOWN))
    await house.told.until(accepted.session_id, Kind.CALLOUT, 2)
    house.asterisk.faults.delay_answers(math.inf, "bridges.addChannel")
    b = house.asterisk.phone(f"{accepted.session_id.partition('@')[0]}.b")
    b.answer()
    await house.asterisk.requested("bridges.addChannel", 2)
    await house.reconnect()
    assert len(house.asterisk.channels) == 2
    b.hang_up()
    ended = await house.ended(accepted)
    assert (ended.state_code, ended.cdr["second_leg"]["answered"] is None) == (0, False)


@pytest.mark.requirement("A4.1", "E4")
async def test_given_many_calls_when_sockets_are_cut_again_and_again_then_each_ends_exactly_once(
    house: House,
) -> None:
    house.asterisk.sounds = lambda _media: 0.05
    behaviours = [
        Behaviour(ring_after=0.01, answer_after=0.04 * number, hang_up_after=0.3) for number in range(8)
    ]
    house.asterisk.phones = lambda _endpoint, _variables: behaviours.pop()
    accepted = [await house.start(item("one"), item("two")) for _ in range(8)]
    for _ in range(3):
        await house.reconnect()
    ended = [await house.ended(each) for each in accepted]
    assert {it.state_code for it in ended} <= {0, 8000, 8001}
    await house.idle()
    assert await house.live_rows() == 0
    assert len(await house.cdrs()) == 8


@pytest.mark.requirement("E2", "E4")
@pytest.mark.parametrize("stage", ["rings", "plays"])
async def test_given_a_call_when_another_controller_takes_over_then_it_ends(house: House, stage: str) -> None:
    accepted, _phone = await (rings if stage == "rings" else plays)(house)
    async with raw_client(house.asterisk, house.node.ari.app):
        assert (await house.ended(accepted, limit=5.0)).state_code == 8000
    with pytest.raises(NodeUnavailable):
        await house.start()


async def _callback(house: House) -> Accepted:
    plan = Callback(callee=PhoneNumber("+8613900002222"), display_number=SHOWN)
    return await house.start(plan=plan)


async def test_given_an_entry_that_is_told_twice_when_b_rings_then_that_is_no_answer(house: House) -> None:
    answers = {"+8613900001111": ANSWERS, "+8613900002222": Behaviour(answer_after=0.3, sip_status=486)}
    house.asterisk.phones = lambda endpoint, _: next(
        answers[number] for number in answers if number in endpoint
    )
    accepted = await _callback(house)
    await house.asterisk.told("StasisStart")
    house.asterisk.faults.double("StasisStart")
    ended = await house.ended(accepted)
    assert ended.state_code == 8102
    assert ended.cdr["second_leg"]["answered"] is None


async def test_given_a_bridge_whose_answer_is_lost_when_the_call_ends_then_it_is_gone(house: House) -> None:
    house.phone_does(ANSWERS)
    house.asterisk.faults.answer("bridges.create", 500, after_doing=True)
    await house.ended(await _callback(house))
    assert house.asterisk.left["bridges"] == []


async def test_given_a_bridge_that_asterisk_fails_to_destroy_when_asked_again_then_it_is_gone(
    house: House,
) -> None:
    house.phone_does(Behaviour(answer_after=0, hang_up_after=0.3))
    house.asterisk.faults.answer("bridges.destroy", 500)
    await house.ended(await _callback(house))
    assert house.asterisk.left["bridges"] == []


@pytest.mark.requirement("E4")
async def test_given_a_stopped_callback_when_nobody_tells_that_its_recording_is_complete_then_its_bridge_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "_STOP_TIMEOUT", 0.05)
    house.phone_does(ANSWERS)
    plan = Callback(callee=PhoneNumber("+8613900002222"), display_number=SHOWN, record=True)
    accepted = await house.start(plan=plan)
    await house.told.until(accepted.session_id, Kind.RECORDING)
    house.asterisk.faults.omit("RecordingFinished")

    assert house.service.stop(accepted.session_id, APP)
    ended = await house.ended(accepted)

    await house.idle()
    assert ended.state_code == 8017
    assert house.asterisk.left["bridges"] == []


async def test_given_a_new_socket_without_its_snapshot_when_a_channel_is_to_be_made_then_none_is_asked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Accepted before the gap, and dialled in it.
    monkeypatch.setattr(node.Node, "takes_calls", property(lambda _self: True))
    house.node.ari._not_ready()
    ended = await house.ended(await house.start(item("hello")))
    assert ended.state_code == 8000
    assert house.asked == []

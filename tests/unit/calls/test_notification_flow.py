"""Voice notification from the dial to the hang-up, with the fake Asterisk."""

import math
from pathlib import Path
from typing import Any

import pytest
from unit.calls.support import CALLEE, PATIENT, QUICK, SHOWN, House, item, running_house

from controller.ari.fake import ANSWERS, Behaviour, FakeAsterisk
from controller.calls import leg, line
from controller.calls.timeline import Kind

REACHED = [Kind.CALLOUT, Kind.ALERTING, Kind.ANSWER]


def presses(*digits: tuple[float, str], **more: Any) -> Behaviour:
    return Behaviour(digits=digits, **more)


def prompts(house: House) -> list[str]:
    """What was played, in order."""
    return [it.parameters["media"] for it in house.asterisk.requests if it.operation == "channels.play"]


@pytest.mark.requirement("A2.1", "A2.4")
async def test_given_several_items_when_answered_then_they_are_played_in_order_and_the_call_is_hung_up(
    house: House,
) -> None:
    ended = await house.call(item("one"), item("two"), item("three"), behaviour=ANSWERS)
    assert ended.kinds == [*REACHED, Kind.PROMPT, Kind.PROMPT, Kind.PROMPT, Kind.DISCONNECT]
    assert (ended.state_code, ended.cut_point, ended.keys) == (0, 0, "")
    assert prompts(house) == ["sound:one", "sound:two", "sound:three"]
    assert house.asked == [
        "channels.originate",
        "channels.play",
        "channels.play",
        "channels.play",
        "channels.hangup",
    ]
    await house.idle()


async def test_given_a_call_when_dialled_then_asterisk_knows_the_number_its_call_and_when_to_give_up(
    house: House,
) -> None:
    accepted = await house.start()
    asked = await house.asterisk.requested("channels.originate")
    call_id = accepted.session_id.partition("@")[0]
    assert asked.parameters["endpoint"].endswith(f"/sip:{CALLEE.e164}@127.0.0.1:5070")
    assert list(house.asterisk.channels) == [f"{call_id}.a"]
    assert asked.parameters["callerId"] == SHOWN.e164
    # Later than our own time-out: it is for a controller that went away.
    assert float(asked.parameters["timeout"]) > QUICK.ring_timeout


@pytest.mark.requirement("A2.2")
async def test_given_a_prompt_that_plays_when_a_key_is_pressed_then_it_counts_and_stops_the_prompt(
    house: House,
) -> None:
    house.asterisk.sounds = lambda _media: math.inf
    ended = await house.call(item("ask", collect=1), behaviour=presses((0.01, "7")))
    assert ended.kinds == [*REACHED, Kind.PROMPT, Kind.COLLECTED, Kind.DISCONNECT]
    assert (ended.state_code, ended.keys) == (0, "7")
    assert "playbacks.stop" in house.asked


@pytest.mark.requirement("A2.2")
async def test_given_no_key_when_the_time_after_the_prompt_is_up_then_the_call_has_collected_nothing(
    house: House,
) -> None:
    ended = await house.call(item("ask", collect=1), item("never"), behaviour=ANSWERS)
    assert (ended.state_code, ended.cut_point) == (8008, 100)
    assert Kind.COLLECTED not in ended.kinds
    assert prompts(house) == ["sound:ask"]
    await house.idle()


@pytest.mark.requirement("A2.2")
async def test_given_a_key_after_the_prompt_when_in_time_then_it_counts(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path, PATIENT) as house:
        house.phone_does(ANSWERS)
        accepted = await house.start(item("ask", collect=1))
        # Not after some time: a busy machine may still have to begin the prompt.
        await asterisk.told("PlaybackFinished")
        asterisk.phone(f"{accepted.session_id.partition('@')[0]}.a").press("#")
        ended = await house.ended(accepted)
    assert (ended.state_code, ended.keys) == (0, "#")
    assert "playbacks.stop" not in house.asked


@pytest.mark.requirement("A2.2")
async def test_given_fewer_digits_than_asked_for_when_the_time_is_up_then_they_are_what_was_collected(
    house: House,
) -> None:
    ended = await house.call(item("ask", collect=4), behaviour=presses((0.01, "1"), (0.01, "2")))
    assert (ended.state_code, ended.keys) == (0, "12")
    assert ended.kinds.count(Kind.COLLECTED) == 1


@pytest.mark.requirement("A2.2")
async def test_given_a_key_that_comes_too_late_after_the_last_one_when_collected_then_it_is_left_out(
    house: House,
) -> None:
    ended = await house.call(item("ask", collect=2), behaviour=presses((0.01, "1"), (2.0, "2")))
    assert ended.keys == "1"


@pytest.mark.requirement("A2.2")
async def test_given_all_digits_when_the_last_one_is_pressed_then_nothing_more_is_waited_for(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path, PATIENT) as house:
        ended = await house.call(
            item("ask", collect=3), behaviour=presses((0.01, "1"), (0.01, "2"), (0.01, "3"))
        )
    assert ended.keys == "123"


@pytest.mark.requirement("A2.2")
async def test_given_an_item_that_collects_nothing_when_keys_are_pressed_then_it_plays_to_its_end(
    house: House,
) -> None:
    house.asterisk.sounds = lambda _media: 0.03
    ended = await house.call(item("news"), behaviour=presses((0.01, "1")))
    assert (ended.state_code, ended.keys) == (0, "")
    assert "playbacks.stop" not in house.asked


@pytest.mark.requirement("A2.2")
async def test_given_two_items_that_collect_when_digits_are_pressed_then_each_is_told_its_own(
    house: House,
) -> None:
    house.phone_does(presses((0.01, "1"), (0.01, "2")))
    accepted = await house.start(item("first", collect=1), item("second", collect=1))
    ended = await house.ended(accepted)
    told = [entry.detail for entry in house.told.of(accepted.session_id) if entry.kind is Kind.COLLECTED]
    assert told == [{"digits": "1"}, {"digits": "2"}]
    assert ended.keys == "12"


@pytest.mark.requirement("A2.3")
async def test_given_the_exact_trigger_when_collected_then_the_item_is_played_again(house: House) -> None:
    behaviour = presses((0.01, "1"), (0.01, "1"), (0.01, "2"))
    ended = await house.call(item("menu", collect=1, replay_on="1"), item("bye"), behaviour=behaviour)
    assert prompts(house) == ["sound:menu", "sound:menu", "sound:menu", "sound:bye"]
    assert (ended.state_code, ended.keys) == (0, "112")
    assert ended.kinds.count(Kind.COLLECTED) == 3


@pytest.mark.requirement("A2.3")
@pytest.mark.parametrize("trigger", ["12", "3"])
async def test_given_another_key_than_the_trigger_when_collected_then_nothing_is_played_again(
    house: House, trigger: str
) -> None:
    ended = await house.call(item("menu", collect=1, replay_on=trigger), behaviour=presses((0.01, "1")))
    assert prompts(house) == ["sound:menu"]
    assert ended.keys == "1"


@pytest.mark.requirement("A2.3")
async def test_given_a_replay_without_a_key_when_the_time_is_up_then_the_call_has_collected_nothing(
    house: House,
) -> None:
    ended = await house.call(item("menu", collect=1, replay_on="1"), behaviour=presses((0.01, "1")))
    assert prompts(house) == ["sound:menu", "sound:menu"]
    assert (ended.state_code, ended.cut_point, ended.keys) == (8008, 100, "1")


@pytest.mark.requirement("A2.3")
async def test_given_a_callee_who_never_tires_when_replaying_then_it_ends_at_the_limit(house: House) -> None:
    behaviour = presses(*((0.01 * number, "1") for number in range(1, 30)))
    ended = await house.call(item("menu", collect=1, replay_on="1"), behaviour=behaviour)
    assert len(prompts(house)) == 1 + QUICK.max_replays
    assert ended.state_code == 0


async def test_given_a_prompt_that_cannot_be_played_when_it_fails_then_the_call_ends_with_that(
    house: House,
) -> None:
    house.asterisk.sounds = {"sound:one": 0.0, "sound:two": None}.__getitem__
    ended = await house.call(item("one"), item("two"), item("three"), behaviour=ANSWERS)
    assert (ended.state_code, ended.cut_point) == (8007, 8007)
    assert prompts(house) == ["sound:one", "sound:two"]
    await house.idle()


async def test_given_asterisk_refuses_to_play_when_asked_then_the_call_ends_with_that(house: House) -> None:
    house.asterisk.faults.answer("channels.play", 500)
    ended = await house.call(behaviour=ANSWERS)
    assert (ended.state_code, ended.cut_point) == (8007, 8007)
    await house.idle()


@pytest.mark.requirement("B1", "B2")
@pytest.mark.parametrize(
    ("behaviour", "codes"),
    [
        (Behaviour(sip_status=486), (8102, 519, 486, 17)),
        (Behaviour(sip_status=480), (8101, 514, 480, 19)),
        (Behaviour(sip_status=480, cause=20), (8103, 519, 480, 20)),
        (Behaviour(sip_status=404), (8100, 519, 404, 1)),
        (Behaviour(sip_status=484), (8100, 519, 484, 28)),
        (Behaviour(sip_status=603), (8105, 519, 603, 21)),
        (Behaviour(sip_status=403), (8105, 519, 403, 21)),
        (Behaviour(sip_status=503), (8001, 519, 503, 34)),
        (Behaviour(sip_status=500), (8001, 519, 500, 38)),
    ],
)
async def test_given_a_callee_who_is_not_reached_when_called_then_push_and_record_say_why(
    house: House, behaviour: Behaviour, codes: tuple[int, int, int, int]
) -> None:
    ended = await house.call(behaviour=behaviour)
    cdr = ended.cdr
    assert (ended.state_code, cdr["cut_point"], cdr["sip_status"], cdr["first_leg_cause"]) == codes
    assert ended.kinds == [Kind.CALLOUT, Kind.ALERTING, Kind.DISCONNECT]
    assert cdr["first_leg"]["answered"] is None
    assert cdr["first_leg"]["ringing"] is not None
    assert house.asked == ["channels.originate"]


@pytest.mark.parametrize(
    ("ring_after", "codes"),
    [(0.0, (8003, 514, 480, 19)), (None, (8001, 513, 408, 19))],
    ids=["rings", "dead"],
)
async def test_given_a_phone_that_nobody_answers_when_the_time_is_up_then_it_is_hung_up_with_cause_19(
    asterisk: FakeAsterisk,
    template: Path,
    tmp_path: Path,
    ring_after: float | None,
    codes: tuple[int, int, int, int],
) -> None:
    hurried = QUICK.model_copy(update={"ring_timeout": 0.5})
    async with running_house(asterisk, template, tmp_path, hurried) as house:
        ended = await house.call(behaviour=Behaviour(ring_after=ring_after, answer_after=None))
        cdr = ended.cdr
        assert (ended.state_code, cdr["cut_point"], cdr["sip_status"], cdr["first_leg_cause"]) == codes
        hang_up = await asterisk.requested("channels.hangup")
        assert hang_up.parameters["reason_code"] == "19"
        await house.idle()


async def test_given_early_media_when_called_then_it_counts_as_ringing_once(house: House) -> None:
    accepted = await house.start()
    await house.asterisk.requested("channels.originate")
    await house.asterisk.told("Dial")
    (channel_id,) = house.asterisk.channels
    phone = house.asterisk.phone(channel_id)
    phone.progress()
    phone.ring()
    phone.progress()
    phone.answer()
    ended = await house.ended(accepted)
    assert ended.kinds[:3] == REACHED
    assert ended.kinds.count(Kind.ALERTING) == 1


async def test_given_a_phone_that_answers_without_ringing_when_called_then_nothing_is_said_of_ringing(
    house: House,
) -> None:
    ended = await house.call(behaviour=Behaviour(ring_after=None))
    assert ended.kinds == [Kind.CALLOUT, Kind.ANSWER, Kind.PROMPT, Kind.DISCONNECT]


@pytest.mark.parametrize("collect", [0, 1])
async def test_given_a_prompt_that_plays_when_the_callee_hangs_up_then_the_call_ends_normally(
    house: House, collect: int
) -> None:
    house.asterisk.sounds = lambda _media: math.inf
    ended = await house.call(
        item("long", collect=collect), item("never"), behaviour=Behaviour(hang_up_after=0.02)
    )
    assert (ended.state_code, ended.cut_point) == (0, 0)
    assert prompts(house) == ["sound:long"]
    assert "channels.hangup" not in house.asked


async def test_given_digits_are_awaited_when_the_callee_hangs_up_then_the_call_ends_normally(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path, PATIENT) as house:
        ended = await house.call(item("ask", collect=2), behaviour=presses((0.01, "1"), hang_up_after=0.02))
    assert (ended.state_code, ended.cut_point, ended.keys) == (0, 0, "")


async def test_given_a_callee_who_hangs_up_at_once_when_asked_to_play_then_the_call_ends_normally(
    house: House,
) -> None:
    ended = await house.call(behaviour=Behaviour(hang_up_after=0.0))
    assert (ended.state_code, ended.cut_point) == (0, 0)


@pytest.mark.parametrize("status", [400, 409, 500])
async def test_given_asterisk_refuses_to_dial_when_asked_then_the_line_is_at_fault_and_nothing_is_left(
    house: House, status: int
) -> None:
    house.asterisk.faults.answer("channels.originate", status)
    ended = await house.call(behaviour=ANSWERS)
    assert (ended.state_code, ended.cut_point, ended.cdr["first_leg_cause"]) == (8001, 519, 38)
    assert ended.kinds == [Kind.DISCONNECT]
    await house.idle()


async def test_given_the_channel_was_made_but_the_answer_is_an_error_when_over_then_it_is_hung_up(
    house: House,
) -> None:
    house.asterisk.faults.answer("channels.originate", 500, after_doing=True)
    await house.call(behaviour=ANSWERS)
    await house.idle()


async def test_given_a_channel_that_never_enters_the_application_when_waited_for_then_it_is_given_up(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    hurried = QUICK.model_copy(update={"ring_timeout": 0.1})
    async with running_house(asterisk, template, tmp_path, settings=hurried) as house:
        asterisk.faults.omit("StasisStart")
        ended = await house.call(behaviour=ANSWERS)
        assert ended.state_code == 8000
        await house.idle()


async def test_given_an_asterisk_that_does_not_answer_when_the_time_is_up_then_the_call_ends(
    asterisk: FakeAsterisk, template: Path, tmp_path: Path
) -> None:
    async with running_house(asterisk, template, tmp_path, command_timeout=0.5) as house:
        asterisk.faults.delay_answers(math.inf, "channels.play")
        ended = await house.call(behaviour=ANSWERS)
        assert ended.state_code == 8000
        await house.idle()


@pytest.mark.parametrize("kind", ["Dial", "ChannelDtmfReceived", "PlaybackFinished", "StasisStart"])
async def test_given_events_that_come_twice_when_the_call_goes_on_then_it_goes_as_ever(
    house: House, kind: str
) -> None:
    house.asterisk.faults.double(kind, times=100)
    ended = await house.call(item("ask", collect=2), item("bye"), behaviour=presses((0.01, "1")))
    assert ended.kinds[:3] == REACHED
    assert ended.kinds.count(Kind.ALERTING) == ended.kinds.count(Kind.ANSWER) == 1
    assert ended.state_code == 0
    assert prompts(house) == ["sound:ask", "sound:bye"]


@pytest.mark.parametrize("status", [500, 503])
async def test_given_asterisk_fails_to_hang_up_when_asked_then_it_is_asked_again(
    house: House, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(line, "_AGAIN", (0.01, 0.01))
    house.asterisk.faults.answer("channels.hangup", status, times=2)
    ended = await house.call(behaviour=ANSWERS)
    assert ended.state_code == 0
    await house.idle(limit=2.0)


async def test_given_the_end_of_a_prompt_is_never_told_when_looked_at_then_the_call_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leg, "_CHECK_INTERVAL", 0.02)
    house.asterisk.faults.omit("PlaybackFinished")
    house.phone_does(ANSWERS)
    ended = await house.ended(await house.start(item("one"), item("two")), limit=2.0)
    assert ended.state_code == 0
    assert prompts(house) == ["sound:one", "sound:two"]


async def test_given_a_long_prompt_when_it_plays_then_asterisk_is_asked_about_it_ever_more_seldom(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leg, "_CHECK_INTERVAL", 0.02)
    async with (
        FakeAsterisk(lambda _endpoint, _variables: ANSWERS, sounds=lambda _media: 0.4) as asterisk,
        running_house(asterisk, template, tmp_path) as house,
    ):
        ended = await house.call(item("one"), behaviour=ANSWERS)
    # After 0.02, 0.06, 0.14 and 0.3 s; every 0.02 s it would be nineteen times.
    assert house.asked.count("playbacks.get") <= 5
    assert ended.state_code == 0

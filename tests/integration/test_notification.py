"""Voice notification on a real Asterisk with a real softphone."""

import asyncio

import pytest
from integration.support import CALLED, HEARD, QUICK, SHOWN, StartBench

from controller.prompts import wav
from testbed.listening import find, load_wav, share_heard
from testbed.softphone_plan import Answer, Digits


def kinds(statuses: list) -> list[str]:
    return [status.event_type for status in statuses]


def digits(statuses: list) -> list[str]:
    return [status.info["digitInfo"] for status in statuses if status.event_type == "collectInfo"]


@pytest.mark.requirement("A2.1", "B1", "B2")
async def test_A2_1_given_two_items_when_the_callee_answers_then_both_are_heard_in_order(
    bench: StartBench,
) -> None:
    b = await bench(Answer(after=0.2))

    session = await b.notify({"notifyVoice": "one.wav"}, {"notifyVoice": "two.wav"}, userData="order-7")
    call = await b.phone.next_call()
    heard = load_wav(await call.recorded())
    statuses, cdr = await b.over(session)

    assert call.caller == SHOWN
    one, two = (load_wav(b.home.directory / name) for name in ("one.wav", "two.wav"))
    assert share_heard(one, heard) >= HEARD
    assert share_heard(two, heard) >= HEARD
    assert find(two, heard).offset >= find(one, heard).offset + 0.95
    assert kinds(statuses) == ["callout", "alerting", "answer", "disconnect"]
    assert all(status.info["userData"] == "order-7" for status in statuses)
    assert all(status.info["caller"] == SHOWN and status.info["called"] == CALLED for status in statuses)
    assert statuses[-1].info["stateCode"] == 0
    assert cdr["ulFailReason"] == 0
    assert cdr["callOutStartTime"] <= cdr["callOutAlertingTime"] <= cdr["callOutAnswerTime"]
    assert cdr["callOutAnswerTime"] <= cdr["callEndTime"]
    assert "failTime" not in cdr


@pytest.mark.requirement("A2.4")
async def test_A2_4_given_no_collection_when_the_last_prompt_ends_then_the_platform_hangs_up(
    bench: StartBench,
) -> None:
    b = await bench(Answer())

    session = await b.notify({"notifyVoice": "one.wav"})
    call = await b.phone.next_call()
    end = await call.ended()
    statuses, _cdr = await b.over(session)

    assert not end.by_phone
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A2.2")
async def test_A2_2_given_keys_during_the_prompt_when_collecting_then_the_prompt_stops_and_they_count(
    bench: StartBench,
) -> None:
    b = await bench(Answer(digits=(Digits("42", after=0.5),)))

    session = await b.notify({"notifyVoice": "long.wav", "collectInd": 2})
    call = await b.phone.next_call()
    recording = load_wav(await call.recorded())
    statuses, cdr = await b.over(session)

    assert digits(statuses) == ["42"]
    assert cdr["dynIVRPath"] == "4-2"
    assert recording.seconds < 4  # of a prompt of 6 s


@pytest.mark.requirement("A2.2")
async def test_A2_2_given_keys_after_the_prompt_when_in_time_then_they_are_pushed(bench: StartBench) -> None:
    b = await bench(Answer(digits=(Digits("7", after=1.4),)))

    session = await b.notify({"notifyVoice": "one.wav", "collectInd": 1})
    statuses, _cdr = await b.over(session)

    assert digits(statuses) == ["7"]
    assert kinds(statuses) == ["callout", "alerting", "answer", "collectInfo", "disconnect"]


@pytest.mark.requirement("A2.2")
async def test_A2_2_given_fewer_digits_than_asked_when_time_is_up_then_what_was_collected_is_pushed(
    bench: StartBench,
) -> None:
    b = await bench(Answer(digits=(Digits("12", after=0.3),)))

    session = await b.notify({"notifyVoice": "one.wav", "collectInd": 4})
    statuses, cdr = await b.over(session)

    assert digits(statuses) == ["12"]
    assert statuses[-1].info["stateCode"] == 0
    assert cdr["ulFailReason"] == 0


@pytest.mark.requirement("A2.2")
async def test_A2_2_given_no_key_when_time_is_up_then_the_call_ends_with_8008(bench: StartBench) -> None:
    b = await bench(Answer())

    session = await b.notify({"notifyVoice": "one.wav", "collectInd": 1}, {"notifyVoice": "two.wav"})
    statuses, cdr = await b.over(session)

    assert digits(statuses) == []
    assert statuses[-1].info["stateCode"] == 8008
    assert cdr["ulFailReason"] == 100


@pytest.mark.requirement("A2.3")
async def test_A2_3_given_the_exact_trigger_when_replay_is_asked_then_the_item_is_played_and_collected_again(
    bench: StartBench,
) -> None:
    b = await bench(Answer(digits=(Digits("1", after=1.3), Digits("1", after=1.3), Digits("2", after=1.3))))

    session = await b.notify(
        {
            "notifyVoice": "one.wav",
            "collectInd": 1,
            "replayAfterCollection": "true",
            "collectContentTriggerReplaying": "1",
        }
    )
    call = await b.phone.next_call()
    recording = load_wav(await call.recorded(timeout=15))
    statuses, cdr = await b.over(session)

    prompt = load_wav(b.home.directory / "one.wav")
    assert share_heard(prompt, recording.part(0, 1.4), length=0.25) > 0.7
    assert share_heard(prompt, recording.part(recording.seconds - 2.0), length=0.25) > 0.7
    assert digits(statuses) == ["1", "1", "2"]
    assert cdr["dynIVRPath"] == "1-1-2"


@pytest.mark.requirement("A2.1")
async def test_A2_1_given_five_items_when_the_callee_answers_then_all_are_heard_in_order(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    names = ["one.wav", "two.wav", "wait.wav", "two.wav", "one.wav"]

    session = await b.notify(*[{"notifyVoice": name} for name in names])
    heard = load_wav(await (await b.phone.next_call()).recorded())
    await b.over(session)

    start = 0.0
    for place, name in enumerate(names):
        prompt = load_wav(b.home.directory / name)
        match = find(prompt, heard.part(start, start + prompt.seconds + 0.8))
        # Frames that a busy machine loses shift the rest; another prompt is below 0.3.
        assert match.correlation > 0.4, place
        start += match.offset + prompt.seconds - 0.1
    assert heard.seconds < start + 1.0


@pytest.mark.requirement("A2.2")
async def test_A2_2_given_more_keys_than_the_32_asked_for_when_pressed_then_the_first_32_are_pushed(
    bench: StartBench,
) -> None:
    keys = "0123456789*#0123456789*#01234567"
    b = await bench(Answer(digits=(Digits(keys + "89", after=0.3, length=0.07, gap=0.08),)))

    session = await b.notify({"notifyVoice": "long.wav", "collectInd": 32})
    statuses, cdr = await b.over(session)

    assert digits(statuses) == [keys]
    assert cdr["dynIVRPath"] == "-".join(keys)
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (0, 0)


@pytest.mark.requirement("A2.3")
async def test_A2_3_given_a_replay_without_a_trigger_when_no_key_follows_then_what_came_before_was_pushed(
    bench: StartBench,
) -> None:
    b = await bench(Answer(digits=(Digits("5", after=0.4), Digits("*", after=0.8))))

    session = await b.notify({"notifyVoice": "one.wav", "collectInd": 1, "replayAfterCollection": "true"})
    statuses, cdr = await b.over(session)

    assert digits(statuses) == ["5", "*"]
    assert cdr["dynIVRPath"] == "5-*"
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (8008, 100)


@pytest.mark.requirement("A2.3")
async def test_A2_3_given_a_callee_who_never_tires_when_replaying_then_the_limit_ends_it(
    bench: StartBench,
) -> None:
    b = await bench(
        Answer(digits=tuple(Digits("1", after=0.6) for _ in range(6))),
        sections={"calls": QUICK.model_copy(update={"max_replays": 2})},
    )

    session = await b.notify({"notifyVoice": "one.wav", "collectInd": 1, "replayAfterCollection": "true"})
    statuses, cdr = await b.over(session)

    assert digits(statuses) == ["1", "1", "1"]
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (0, 0)


@pytest.mark.requirement("A2.1", "A2.2")
async def test_A2_1_given_a_second_item_that_vanished_when_it_is_due_then_what_was_collected_is_told_and_8006(
    bench: StartBench,
) -> None:
    b = await bench(Answer(digits=(Digits("7", after=0.4),)))
    vanished = wav.read((b.home.directory / "two.wav").read_bytes())
    (stored,) = (path for path in b.home.settings.prompt_dir.rglob("*.alaw") if path.read_bytes() == vanished)
    stored.unlink()

    session = await b.notify({"notifyVoice": "one.wav", "collectInd": 1}, {"notifyVoice": "two.wav"})
    statuses, cdr = await b.over(session)

    assert digits(statuses) == ["7"]
    assert (cdr["dynIVRPath"], cdr["ulFailReason"]) == ("7", 524)
    assert statuses[-1].info["stateCode"] == 8006


@pytest.mark.requirement("A4.1")
async def test_A4_1_given_several_calls_at_once_when_each_has_its_own_prompt_then_none_disturbs_another(
    bench: StartBench,
) -> None:
    numbers = [f"+861390000222{index}" for index in range(4)]
    b = await bench(phones={number: Answer(digits=(Digits("1", after=1.2),)) for number in numbers})
    names = ["one.wav", "two.wav", "one.wav", "two.wav"]

    async def call(number: str, name: str) -> tuple[str, str]:
        session = await b.notify({"notifyVoice": name, "collectInd": 1}, callee=number)
        heard = load_wav(await (await b.phones[number].next_call()).recorded())
        found = {each: find(load_wav(b.home.directory / each), heard).correlation for each in set(names)}
        statuses, _cdr = await b.over(session)
        assert digits(statuses) == ["1"]
        assert all(status.info["called"] == number for status in statuses if "called" in status.info)
        return max(found, key=lambda each: found[each]), name

    for heard, wanted in await asyncio.gather(*map(call, numbers, names)):
        assert heard == wanted

"""Voice callback on a real Asterisk between two real softphones: what is heard, and when."""

import pytest
from integration.callbacks import A_TONE, B_TONE, PATIENT, SIMULATED, both_recordings, heard_for, kinds
from integration.support import CALLED, QUICK, SECOND, SECOND_SHOWN, SHOWN, StartBench

from controller.share import shared
from testbed.listening import find, load_wav, share_heard, tone_stretches
from testbed.softphone_plan import Answer, RingOnly, Silent, Tone


@pytest.mark.requirement("A1.1", "B1", "B2")
async def test_A1_1_given_two_phones_when_both_answer_then_they_talk_and_one_hanging_up_ends_both(
    bench: StartBench,
) -> None:
    b = await bench(Answer(play=Tone(A_TONE)), phones={SECOND: Answer(play=Tone(B_TONE), hang_up_after=2.0)})

    session = await b.call_back(partyTypeRequiredInDisconnect="true")
    a, second = await b.phones[CALLED].next_call(), await b.phones[SECOND].next_call()
    heard_by_a, heard_by_b = load_wav(await a.recorded()), load_wav(await second.recorded())
    statuses, cdr = await b.over(session)

    assert (a.caller, second.caller) == (SHOWN, SECOND_SHOWN)
    assert heard_for(heard_by_a, B_TONE) > 1.5
    assert heard_for(heard_by_b, A_TONE) > 1.5
    assert kinds(statuses) == [
        ("callout", CALLED),
        ("alerting", CALLED),
        ("answer", CALLED),
        ("callout", SECOND),
        ("alerting", SECOND),
        ("answer", SECOND),
        ("disconnect", CALLED),
    ]
    assert statuses[3].info["caller"] == SECOND_SHOWN
    assert (statuses[-1].info["stateCode"], statuses[-1].info["partyType"]) == (0, "callee")
    assert (cdr["callerNum"], cdr["calleeNum"]) == (SHOWN, CALLED)
    assert (cdr["fwdDisplayNum"], cdr["fwdDstNum"]) == (SECOND_SHOWN, SECOND)
    assert cdr["fwdStartTime"] <= cdr["fwdAlertingTime"] <= cdr["fwdAnswerTime"] <= cdr["callEndTime"]
    assert (cdr["ulFailReason"], cdr["serviceType"]) == (0, "002")


@pytest.mark.requirement("A1.2")
async def test_A1_2_given_a_transfer_prompt_when_a_answers_then_it_ends_before_b_is_dialled(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer(hang_up_after=0.5)})

    session = await b.call_back(playPreVoice="true", preVoice="two.wav")
    a, second = await b.phones[CALLED].next_call(), await b.phones[SECOND].next_call()
    heard, _ = load_wav(await a.recorded()), await second.recorded()
    await b.over(session)

    answered, rang = a.event("answered"), second.event("incoming")
    assert answered is not None
    assert rang is not None
    prompt = load_wav(b.home.directory / "two.wav")
    assert share_heard(prompt, heard, length=0.25) > 0.7
    assert rang.at >= answered.at + prompt.seconds - 0.1


@pytest.mark.requirement("A1.2", "A1.4")
async def test_A1_4_given_one_minute_and_no_prompts_named_when_b_answers_then_the_shipped_ones_are_heard(
    bench: StartBench,
) -> None:
    minute = QUICK.model_copy(update={"ring_timeout": 10.0, "minute": 4.0})
    b = await bench(Answer(), phones={SECOND: Answer(after=1.0)}, sections={"calls": minute})

    session = await b.call_back(playPreVoice="true", maxDuration=1)
    a, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
    heard_by_a, heard_by_b = load_wav(await a.recorded(timeout=20)), load_wav(await second.recorded())
    statuses, _cdr = await b.over(session)

    transferring = load_wav(shared("sounds") / "zh/transferring.wav")
    last_minute = load_wav(shared("sounds") / "zh/last_minute.wav")
    answered_a, rang_b = a.event("answered"), second.event("incoming")
    assert answered_a is not None
    assert rang_b is not None
    assert share_heard(transferring, heard_by_a, length=0.25) > 0.7
    assert rang_b.at >= answered_a.at + transferring.seconds - 0.1
    assert share_heard(last_minute, heard_by_a, length=0.25) > 0.7
    assert share_heard(last_minute, heard_by_b, length=0.25) > 0.7
    assert find(last_minute, heard_by_b).offset < 0.6
    # From B's answer: A has been there for much longer.
    assert 3.6 < heard_by_b.seconds < 5.0
    assert heard_by_a.seconds > heard_by_b.seconds + transferring.seconds
    assert statuses[-1].info["stateCode"] == 8010


@pytest.mark.requirement("A1.4")
async def test_A1_4_given_no_maximum_duration_when_they_talk_for_minutes_then_nothing_ends_the_call(
    bench: StartBench,
) -> None:
    b = await bench(sections={"calls": QUICK.model_copy(update={"minute": 0.2})})

    statuses, cdr = await b.over(
        await b.call_back(callerNbr=f"{SIMULATED}01600000", calleeNbr=f"{SIMULATED}01600002", maxDuration=0)
    )

    answer, end = statuses[-2], statuses[-1]
    assert end.push.arrived - answer.push.arrived > 1.0
    assert (end.info["stateCode"], cdr["ulFailReason"]) == (0, 0)


@pytest.mark.requirement("A1.2")
async def test_A1_2_given_a_transfer_prompt_that_vanished_when_a_answers_then_8006_and_b_is_not_dialled(
    bench: StartBench,
) -> None:
    b = await bench()
    for prompt in b.home.settings.prompt_dir.rglob("*.alaw"):
        prompt.unlink()

    statuses, cdr = await b.over(
        await b.call_back(
            callerNbr=f"{SIMULATED}01600000",
            calleeNbr=f"{SIMULATED}01600000",
            playPreVoice="true",
            preVoice="two.wav",
        )
    )

    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (8006, 524)
    assert "fwdStartTime" not in cdr


@pytest.mark.requirement("A1.1")
async def test_A1_1_given_two_who_talk_when_b_holds_and_comes_back_then_the_call_goes_on(
    bench: StartBench,
) -> None:
    b = await bench(phones={SECOND: Answer()})

    session = await b.call_back(recordFlag="true")
    a, second = await b.phones[CALLED].next_call(), await b.phones[SECOND].next_call()
    await b.b_answered(session)
    await second.play(Tone(B_TONE, seconds=1.0))
    await second.hold()
    await a.play(Tone(A_TONE, seconds=1.0))
    await second.hold(on=False)
    await second.play(Tone(B_TONE, seconds=1.5))
    await second.hang_up()
    heard_by_a = load_wav(await a.recorded())
    statuses, cdr = await b.over(session)

    talk = tone_stretches(heard_by_a, B_TONE)
    assert sum(stretch.seconds for stretch in talk) > 1.6
    assert talk[-1].start - talk[0].start > 1.5, "A hears B again after the hold"
    assert [status.event_type for status in statuses].count("answer") == 2
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"], cdr["recordFlag"]) == (0, 0, 1)


@pytest.mark.requirement("A1.1")
async def test_A1_1_given_b_rings_when_a_gives_up_then_8009_and_b_stops_ringing(bench: StartBench) -> None:
    b = await bench(Answer(hang_up_after=1.0), phones={SECOND: RingOnly()}, sections=PATIENT)

    session = await b.call_back()
    second = await b.phones[SECOND].next_call()
    await second.ended()
    statuses, cdr = await b.over(session)

    assert statuses[-1].info["stateCode"] == 8009
    assert (cdr["ulFailReason"], cdr["sipStatusCode"]) == (552, 487)


@pytest.mark.requirement("A1.4")
@pytest.mark.parametrize(("to", "hearing"), [("toa", "A"), ("tob", "B"), ("both", "AB")])
async def test_A1_4_given_a_maximum_duration_when_one_minute_is_left_then_it_is_told_and_the_call_ends(
    bench: StartBench, to: str, hearing: str
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer()})

    session = await b.call_back(maxDuration=2, lastMinVoice="two.wav", lastMinToUE=to)
    heard_by_a, heard_by_b = await both_recordings(b)
    statuses, cdr = await b.over(session)

    prompt = load_wav(b.home.directory / "two.wav")
    heard = "".join(
        name
        for name, audio in (("A", heard_by_a), ("B", heard_by_b))
        if share_heard(prompt, audio, length=0.25) > 0.7
    )
    assert heard == hearing
    assert 3.5 < heard_by_b.seconds < 5.5  # two minutes of 2 s
    assert statuses[-1].info["stateCode"] == 8010
    assert cdr["ulFailReason"] == 0


@pytest.mark.requirement("A1.6")
@pytest.mark.parametrize(
    "stage", ["dialling", "ringing", "prompt", "second dialling", "second ringing", "talking"]
)
async def test_A1_6_given_a_call_at_any_stage_when_it_is_stopped_then_both_legs_end_with_8017(
    bench: StartBench, stage: str
) -> None:
    plans = {
        "dialling": (Silent(), Answer()),
        "ringing": (RingOnly(), Answer()),
        "prompt": (Answer(), Answer()),
        "second dialling": (Answer(), Silent()),
        "second ringing": (Answer(), RingOnly()),
        "talking": (Answer(), Answer()),
    }
    event, leg = {
        "dialling": ("callout", CALLED),
        "ringing": ("alerting", CALLED),
        "prompt": ("answer", CALLED),
        "second dialling": ("callout", SECOND),
        "second ringing": ("alerting", SECOND),
        "talking": ("answer", SECOND),
    }[stage]
    first, second = plans[stage]
    b = await bench(first, phones={SECOND: second}, sections=PATIENT)
    fields = {"playPreVoice": "true", "preVoice": "long.wav"} if stage == "prompt" else {}
    session = await b.call_back(**fields)
    await b.receiver.wait_for(
        lambda push: push.json["eventType"] == event and push.json["statusInfo"]["called"] == leg
    )

    foreign = await b.stop(session, "verify-app")
    answer = await b.stop(session)
    if stage != "dialling":
        await (await b.phones[CALLED].next_call()).ended()
    statuses, cdr = await b.over(session)
    again = await b.stop(session)

    assert foreign.code == "1020152"
    assert answer.body == {"resultcode": "0", "resultdesc": "Success"}
    assert again.code == "1020152"
    assert statuses[-1].info["stateCode"] == 8017
    assert cdr["ulFailReason"] == 1003
    assert await b.controller.node.ari.channels.list() == []
    assert await b.controller.node.ari.bridges.list() == []

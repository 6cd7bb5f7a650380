"""What A hears while a callback waits for B, on a real Asterisk: wait sound, ringback, B's network."""

import asyncio

import pytest
from integration.callbacks import (
    B_TONE,
    NETWORK_TONE,
    PATIENT,
    RINGBACK,
    both_recordings,
    heard_for,
    kinds,
    wait_sound,
)
from integration.support import CALLED, SECOND, StartBench

from controller.share import shared
from testbed.listening import find, load_wav, share_heard, silence_stretches, tone_stretches
from testbed.softphone_plan import Answer, Digits, EarlyMedia, Play, Reject, RingOnly, Tone


@pytest.mark.requirement("A1.3")
async def test_A1_3_wait_voice_stops_when_callee_rings_and_a_hears_ringback(bench: StartBench) -> None:
    b = await bench(Answer(), phones={SECOND: Answer(after=2.0, hang_up_after=0.8)}, sections=PATIENT)

    session = await b.call_back(waitVoice="wait.wav")
    heard, _ = await both_recordings(b)
    await b.over(session)

    ringback = tone_stretches(heard, RINGBACK)
    assert ringback, "A heard no ringback"
    assert ringback[0].start < 1.0
    assert find(load_wav(b.home.directory / "wait.wav"), heard).correlation < 0.6


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_b_that_is_slow_to_ring_when_all_then_a_hears_the_wait_sound_and_after_it_ringback(
    bench: StartBench,
) -> None:
    b = await bench(
        Answer(), phones={SECOND: Answer(after=5.0, ring=False, hang_up_after=0.8)}, sections=PATIENT
    )

    session = await b.call_back(waitVoice="wait.wav")
    second = await b.phones[SECOND].next_call()
    await asyncio.sleep(2.0)
    await second.respond(180)
    heard = load_wav(await (await b.phone.next_call()).recorded(timeout=20))
    await b.over(session)

    (ringback, *_more) = tone_stretches(heard, RINGBACK)
    before, after = heard.part(0, ringback.start), heard.part(ringback.start, heard.seconds)
    assert 1.5 < ringback.start < 3.5
    assert share_heard(wait_sound(b), before, length=0.25) > 0.7
    assert share_heard(wait_sound(b), after, length=0.25) < 0.2


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_callee_media_none_when_b_rings_then_the_wait_sound_goes_on_until_the_answer(
    bench: StartBench,
) -> None:
    plan = EarlyMedia(play=Tone(NETWORK_TONE), seconds=2.5, then=Answer(hang_up_after=1.0))
    b = await bench(Answer(), phones={SECOND: plan}, sections=PATIENT)

    session = await b.call_back(waitVoice="wait.wav", calleeMedia="none")
    heard, _ = await both_recordings(b)
    await b.over(session)

    wait = load_wav(b.home.directory / "wait.wav")
    assert share_heard(wait, heard, length=0.25) > 0.7
    assert heard_for(heard, NETWORK_TONE) < 0.2
    assert heard_for(heard, RINGBACK) < 0.2


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_early_media_from_b_when_all_then_it_replaces_the_wait_sound(
    bench: StartBench,
) -> None:
    plan = EarlyMedia(play=Tone(NETWORK_TONE), seconds=2.0, then=Answer(hang_up_after=0.8))
    b = await bench(Answer(), phones={SECOND: plan}, sections=PATIENT)

    session = await b.call_back(waitVoice="wait.wav")
    heard, _ = await both_recordings(b)
    await b.over(session)

    assert heard_for(heard, NETWORK_TONE) > 1.2


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_early_media_and_then_ringing_when_all_then_a_hears_what_bs_network_plays_all_along(
    bench: StartBench,
) -> None:
    plan = EarlyMedia(play=Tone(NETWORK_TONE), seconds=3.0, ring_after=0.6, then=Answer(hang_up_after=0.8))
    b = await bench(Answer(), phones={SECOND: plan}, sections=PATIENT)

    session = await b.call_back(waitVoice="wait.wav")
    heard, _ = await both_recordings(b)
    await b.over(session)

    assert heard_for(heard, NETWORK_TONE) > 2.3
    assert heard_for(heard, RINGBACK) < 0.2


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_a_failure_announcement_when_fail_then_a_hears_it_and_the_failure_is_bs(
    bench: StartBench,
) -> None:
    plan = EarlyMedia(play=Tone(NETWORK_TONE), seconds=4.0, then=Reject(404))
    b = await bench(Answer(), phones={SECOND: plan}, sections=PATIENT)

    session = await b.call_back(waitVoice="wait.wav", calleeMedia="fail")
    a = await b.phones[CALLED].next_call()
    heard = load_wav(await a.recorded(timeout=20))
    statuses, cdr = await b.over(session)

    announced = tone_stretches(heard, NETWORK_TONE)
    assert heard_for(heard, NETWORK_TONE) > 2.5, "more of it is lost than two looks take"
    assert share_heard(wait_sound(b).part(0, 0.5), heard.part(0, announced[0].start), length=0.25) > 0.7
    assert statuses[-1].info["stateCode"] == 8100
    assert (cdr["ulFailReason"], cdr["sipStatusCode"], cdr["fwdUnaswRsn"]) == (518, 404, 1)


@pytest.mark.requirement("A1.3")
@pytest.mark.parametrize("silence", [0.0, 0.7], ids=["steady", "cadence"])
async def test_A1_3_given_ringback_from_bs_network_when_fail_then_a_hears_none_of_it_but_the_wait_sound(
    bench: StartBench, silence: float
) -> None:
    ringback = Tone(RINGBACK, silence=silence)
    plan = EarlyMedia(play=ringback, seconds=5.0, then=Answer(play=Tone(B_TONE), hang_up_after=1.5))
    b = await bench(Answer(), phones={SECOND: plan}, sections=PATIENT)

    session = await b.call_back(waitVoice="wait.wav", calleeMedia="fail")
    heard, _ = await both_recordings(b)
    statuses, _cdr = await b.over(session)

    (answer, *_more) = tone_stretches(heard, B_TONE)
    assert answer.start > 4.5
    assert heard_for(heard, RINGBACK) < 0.2
    assert silence_stretches(heard.part(0.5, answer.start - 0.3), minimum=0.15) == []
    assert share_heard(wait_sound(b), heard, length=0.25) > 0.7
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_ringback_that_becomes_an_announcement_when_fail_then_a_hears_only_the_announcement(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones={SECOND: RingOnly()}, sections=PATIENT)
    announcement = shared("sounds") / "zh/transferring.wav"

    session = await b.call_back(waitVoice="wait.wav", calleeMedia="fail")
    second = await b.phones[SECOND].next_call()
    await second.ringing()
    await second.respond(183)
    await second.play(Tone(RINGBACK, seconds=2.5))
    await second.play(Play(str(announcement)))
    await second.play(Play(str(announcement)))
    await second.respond(404)
    heard = load_wav(await (await b.phone.next_call()).recorded())
    statuses, _cdr = await b.over(session)

    assert heard_for(heard, RINGBACK) < 0.2
    assert share_heard(load_wav(announcement), heard, length=0.25) > 0.7
    assert statuses[-1].info["stateCode"] == 8100


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_early_media_and_no_wait_sound_when_fail_then_ringback_until_the_announcement(
    bench: StartBench,
) -> None:
    plan = EarlyMedia(play=Tone(NETWORK_TONE), seconds=4.0, then=Reject(404))
    b = await bench(Answer(), phones={SECOND: plan}, sections=PATIENT)

    session = await b.call_back(calleeMedia="fail")
    heard = load_wav(await (await b.phone.next_call()).recorded(timeout=20))
    await b.over(session)

    (ringback, *_more) = tone_stretches(heard, RINGBACK)
    assert ringback.end <= tone_stretches(heard, NETWORK_TONE)[0].start + 0.1
    assert heard_for(heard, NETWORK_TONE) > 2.5


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_an_announcement_after_ringing_when_fail_then_a_waits_and_then_hears_it(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones={SECOND: RingOnly()}, sections=PATIENT)

    session = await b.call_back(waitVoice="wait.wav", calleeMedia="fail")
    second = await b.phones[SECOND].next_call()
    await second.ringing()
    await asyncio.sleep(1.2)
    await second.respond(183)
    await second.start_sound(Tone(NETWORK_TONE))
    await asyncio.sleep(2.0)
    await second.respond(480)
    heard = load_wav(await (await b.phone.next_call()).recorded())
    statuses, cdr = await b.over(session)

    assert heard_for(heard, NETWORK_TONE) > 1.0
    wait = load_wav(b.home.directory / "wait.wav").part(0, 1.0)
    assert share_heard(wait, heard.part(0, tone_stretches(heard, NETWORK_TONE)[0].start), length=0.25) > 0.7
    assert heard_for(heard, RINGBACK) < 0.2
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"], cdr["fwdUnaswRsn"]) == (8101, 514, 19)


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_a_wait_sound_that_vanished_when_b_rings_then_a_hears_ringback_and_they_talk(
    bench: StartBench,
) -> None:
    plan = Answer(after=2.0, play=Tone(B_TONE), hang_up_after=1.0)
    b = await bench(Answer(), phones={SECOND: plan}, sections=PATIENT)
    for prompt in b.home.settings.prompt_dir.rglob("*.alaw"):
        prompt.unlink()

    session = await b.call_back(waitVoice="wait.wav", calleeMedia="none")
    heard, _ = await both_recordings(b)
    statuses, _cdr = await b.over(session)

    assert heard_for(heard, RINGBACK) > 0.7
    assert heard_for(heard, B_TONE) > 0.6
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A1.3")
@pytest.mark.parametrize("media", ["none", "fail"])
async def test_A1_3_given_no_wait_sound_when_b_rings_then_a_hears_ringback_whatever_media_is_let_through(
    bench: StartBench, media: str
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer(after=2.0, hang_up_after=0.5)}, sections=PATIENT)

    session = await b.call_back(calleeMedia=media)
    heard, _ = await both_recordings(b)
    await b.over(session)

    (ringback, *_more) = tone_stretches(heard, RINGBACK)
    assert ringback.start < 1.0


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_early_media_and_no_wait_sound_when_none_then_a_hears_ringback_and_nothing_of_b(
    bench: StartBench,
) -> None:
    plan = EarlyMedia(play=Tone(NETWORK_TONE), seconds=1.5, then=Answer(hang_up_after=0.5))
    b = await bench(Answer(), phones={SECOND: plan}, sections=PATIENT)

    session = await b.call_back(calleeMedia="none")
    heard, _ = await both_recordings(b)
    await b.over(session)

    assert heard_for(heard, NETWORK_TONE) < 0.2
    assert heard_for(heard, RINGBACK) > 0.5


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_a_wait_sound_shorter_than_the_ringing_when_a_presses_keys_then_it_loops_with_no_gap(
    bench: StartBench,
) -> None:
    b = await bench(
        Answer(digits=(Digits("12#", after=0.5),)),
        phones={SECOND: Answer(after=5.0, play=Tone(B_TONE), hang_up_after=2.0)},
        sections=PATIENT,
    )

    session = await b.call_back(waitVoice="wait.wav", calleeMedia="none")
    heard, _ = await both_recordings(b)
    statuses, _cdr = await b.over(session)

    wait = load_wav(b.home.directory / "wait.wav")
    beginning = wait.part(0, 0.25)
    first = find(beginning, heard.part(0, wait.seconds)).offset
    for start in (first, first + wait.seconds, first + 2 * wait.seconds):
        turn = heard.part(max(start - 0.2, 0.0), start + wait.seconds + 0.2)
        assert share_heard(wait, turn, length=0.25) > 0.6, start
    assert silence_stretches(heard.part(first, first + 3 * wait.seconds), minimum=0.15) == []
    assert heard_for(heard, RINGBACK) < 0.2
    assert heard_for(heard, B_TONE) > 0.6
    assert [kind for kind, _called in kinds(statuses)] == [
        *["callout", "alerting", "answer"] * 2,
        "disconnect",
    ]
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A1.3")
async def test_A1_3_given_a_wait_sound_longer_than_the_ringing_when_b_answers_then_it_is_cut_off(
    bench: StartBench,
) -> None:
    b = await bench(
        Answer(), phones={SECOND: Answer(after=1.0, play=Tone(B_TONE), hang_up_after=2.5)}, sections=PATIENT
    )

    session = await b.call_back(waitVoice="long.wav", calleeMedia="none")
    heard, _ = await both_recordings(b)
    await b.over(session)

    assert heard_for(heard, B_TONE) > 0.7
    assert share_heard(load_wav(b.home.directory / "long.wav").part(2.5, 6.0), heard, length=0.25) < 0.2

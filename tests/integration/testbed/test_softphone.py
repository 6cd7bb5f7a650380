"""Phone calls phone, without anything between them."""

import asyncio
import os
import signal
import sys
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from testbed.listening import Audio, find, load_wav, tone_share, tone_stretches
from testbed.softphone import CallOverError, PhoneError, PhoneTimeoutError, Softphone
from testbed.softphone_plan import (
    Answer,
    Digits,
    EarlyMedia,
    Plan,
    Play,
    Reject,
    RingOnly,
    Silent,
    Talk,
    Tone,
)

pytest.importorskip("pjsua2")

CALLER, CALLED = "+8657126880001", "+8613900001111"


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Softphone]:
    async with Softphone.start(directory=tmp_path, name="caller") as phone:
        yield phone


@pytest.fixture
async def called(tmp_path: Path) -> AsyncIterator[Softphone]:
    async with Softphone.start(directory=tmp_path, name="called") as phone:
        yield phone


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    """Two seconds that resemble themselves nowhere: a rising tone with a trembling voice."""
    times = np.arange(2 * 8000) / 8000
    samples = 0.4 * np.sin(2 * np.pi * (300 * times + 250 * times**2)) * (0.6 + 0.4 * np.sin(40 * times))
    path = tmp_path / "prompt.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes((samples * 32767).astype("<i2").tobytes())
    return path


async def test_given_a_phone_that_answers_when_called_then_both_know_who_talks(
    caller: Softphone, called: Softphone
) -> None:
    outgoing = await caller.dial(called.uri(CALLED), caller=CALLER)
    incoming = await called.next_call()
    assert (incoming.caller, incoming.called) == (CALLER, CALLED)
    assert incoming.call_id == outgoing.call_id
    assert dict(incoming.headers)["Call-ID"] == outgoing.call_id
    assert (outgoing.caller, outgoing.called) == (CALLER, CALLED)
    ringing, answered = await outgoing.ringing(), await outgoing.answered()
    assert ringing.details["status"] == 180
    assert ringing.at <= answered.at
    await incoming.answered()
    await outgoing.media_active()
    await outgoing.hang_up(reason="Q.850;cause=16")
    ours, theirs = await outgoing.ended(), await incoming.ended()
    assert (ours.status, ours.by_phone) == (200, True)
    assert (theirs.status, theirs.by_phone, theirs.reason) == (200, False, "Q.850;cause=16")
    await outgoing.hang_up()


async def test_given_a_ringing_time_when_called_then_the_answer_comes_after_it(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan(Answer(after=0.4))
    call = await caller.dial(called.uri(CALLED))
    ringing, answered = await call.ringing(), await call.answered()
    assert 0.3 < answered.at - ringing.at < 2.0


async def test_given_a_prompt_and_a_tone_when_played_then_each_hears_the_other(
    caller: Softphone, called: Softphone, prompt: Path
) -> None:
    await called.set_plan(Answer(play=Play(str(prompt))))
    outgoing = await caller.dial(called.uri(CALLED), talk=Talk(play=Tone(440)))
    incoming = await called.next_call()
    await called.wait_until(lambda: incoming.event("sound_finished"), 10, "the end of the prompt")
    await outgoing.hang_up()
    heard_prompt, heard_tone = load_wav(await outgoing.recorded()), load_wav(await incoming.recorded())
    assert find(load_wav(prompt), heard_prompt).correlation > 0.9
    assert find(load_wav(prompt), heard_tone).correlation < 0.3
    assert tone_share(heard_tone, 440, 0.5, 1.5) > 0.95


async def test_given_a_call_when_sound_is_changed_meanwhile_then_the_far_end_hears_both(
    caller: Softphone, called: Softphone
) -> None:
    outgoing = await caller.dial(called.uri(CALLED))
    incoming = await called.next_call()
    await outgoing.answered()
    await outgoing.play(Tone(500, seconds=0.6))
    await outgoing.start_sound(Tone(900))
    await outgoing.play(Tone(1300, seconds=0.6))
    await outgoing.start_sound(Tone(1700))
    await outgoing.stop_sound()
    await outgoing.hang_up()
    heard = load_wav(await incoming.recorded())
    for frequency in (500, 1300):
        (stretch,) = tone_stretches(heard, frequency)
        assert 0.4 < stretch.seconds < 0.8
    assert not tone_stretches(heard, 900)
    assert not tone_stretches(heard, 1700)


async def test_given_a_sound_without_end_when_its_end_is_awaited_then_it_is_refused(
    caller: Softphone, called: Softphone
) -> None:
    call = await caller.dial(called.uri(CALLED))
    with pytest.raises(ValueError, match="start_sound"):
        await call.play(Tone(440))


async def test_given_digits_in_the_plan_and_by_hand_when_sent_then_they_are_heard_in_order(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan(Answer(digits=(Digits("1*#"), Digits("42", after=0.2, length=0.2))))
    outgoing = await caller.dial(called.uri(CALLED))
    incoming = await called.next_call()
    await incoming.answered()
    await outgoing.send_digits("77D", length=0.08)
    assert await incoming.heard_digits(3) == "77D"
    assert await outgoing.heard_digits(5) == "1*#42"
    await called.wait_until(lambda: len(incoming.events_of("digits_sent")) == 2 or None, 5, "the digits sent")
    lengths = [digit.seconds for digit in outgoing.digits[:4]]
    assert lengths == pytest.approx([0.12, 0.12, 0.12, 0.2], abs=0.03)
    times = [digit.at for digit in outgoing.digits]
    assert times == sorted(times)


async def test_given_a_plan_to_hang_up_when_its_time_comes_then_the_phone_does(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan(Answer(hang_up_after=0.2))
    call = await caller.dial(called.uri(CALLED))
    answered, end = await call.answered(), await call.ended()
    assert not end.by_phone
    assert 0.15 < end.at - answered.at < 2.0


@pytest.mark.parametrize("status", [302, 404, 480, 486, 500, 603])
async def test_given_a_plan_to_reject_when_called_then_the_caller_gets_the_status(
    caller: Softphone, called: Softphone, status: int
) -> None:
    await called.set_plan(Reject(status, reason="Q.850;cause=17"))
    outgoing = await caller.dial(called.uri(CALLED))
    end = await outgoing.ended()
    assert (end.status, end.reason, end.by_phone) == (status, "Q.850;cause=17", False)
    theirs = await (await called.next_call()).ended()
    assert (theirs.status, theirs.by_phone) == (status, True)
    with pytest.raises(CallOverError, match=str(status)):
        await outgoing.answered()
    with pytest.raises(PhoneError, match="nothing was recorded"):
        await outgoing.recorded()


async def test_given_ringing_before_the_rejection_when_called_then_the_caller_hears_of_it(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan(Reject(603, after=0.2, ring=True))
    call = await caller.dial(called.uri(CALLED))
    await call.ringing()
    assert (await call.ended()).status == 603


async def test_given_a_phone_that_only_rings_when_the_caller_gives_up_then_both_calls_end(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan(RingOnly())
    outgoing = await caller.dial(called.uri(CALLED))
    incoming = await called.next_call()
    await outgoing.ringing()
    with pytest.raises(PhoneTimeoutError, match="answered"):
        await outgoing.answered(timeout=0.3)
    await outgoing.hang_up(reason="SIP;cause=487")
    ours, theirs = await outgoing.ended(), await incoming.ended()
    assert (ours.status, ours.by_phone) == (487, True)
    assert (theirs.status, theirs.by_phone, theirs.reason) == (487, False, "SIP;cause=487")


async def test_given_a_ringing_phone_when_answered_by_hand_then_the_call_is_up(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan(RingOnly())
    outgoing = await caller.dial(called.uri(CALLED))
    await (await called.next_call()).respond(200)
    await outgoing.answered()


@pytest.mark.parametrize("then", [Answer(), Reject(480), None])
async def test_given_early_media_when_called_then_it_is_heard_before_the_outcome(
    caller: Softphone, called: Softphone, prompt: Path, then: Answer | Reject | None
) -> None:
    await called.set_plan(EarlyMedia(Play(str(prompt)), then))
    outgoing = await caller.dial(called.uri(CALLED))
    incoming = await called.next_call()
    assert (await outgoing.ringing()).details["status"] == 183
    await outgoing.media_active()
    assert outgoing.event("answered") is None
    await called.wait_until(lambda: incoming.event("sound_finished"), 10, "the end of the prompt")
    if isinstance(then, Answer):
        await outgoing.answered()
    if not isinstance(then, Reject):
        await outgoing.hang_up()
    assert [event.details["status"] for event in outgoing.events_of("ringing")] == [183]
    status = {Answer: 200, Reject: 480}.get(type(then), 487)
    assert (await outgoing.ended()).status == status
    assert find(load_wav(prompt), load_wav(await outgoing.recorded())).correlation > 0.9


async def test_given_a_silent_phone_when_called_then_no_answer_of_any_kind_is_sent(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan([Silent(), Answer()])
    lost = await caller.dial(called.uri(CALLED), caller=CALLER)
    ignored = await called.next_call()
    assert (ignored.caller, ignored.called, ignored.call_id) == (CALLER, CALLED, lost.call_id)
    second = await caller.dial(called.uri(CALLED))
    await second.answered()
    # Meanwhile the first INVITE was sent again, at 0.5 s and 1.5 s.
    with pytest.raises(PhoneTimeoutError):
        await lost.ringing(timeout=2.0)
    assert [event.kind for event in lost.events] == ["dialled"]
    assert f"Call-ID: {lost.call_id}" not in (called.directory / "called.log").read_text()


async def test_given_no_plan_at_all_when_set_then_it_is_refused(called: Softphone) -> None:
    with pytest.raises(ValueError, match="plan"):
        await called.set_plan([])


async def test_given_a_queue_of_plans_when_called_again_then_each_call_follows_its_own(
    caller: Softphone, called: Softphone
) -> None:
    plans: list[Plan] = [Reject(486), Reject(603), Answer()]
    await called.set_plan(plans)
    ends = [await (await caller.dial(called.uri(CALLED))).ended() for _ in range(2)]
    assert [end.status for end in ends] == [486, 603]
    for _ in range(2):
        call = await caller.dial(called.uri(CALLED))
        await call.answered()
        await call.hang_up()
        await call.ended()
    assert [await called.next_call() for _ in range(4)] == called.calls


async def test_given_two_calls_at_once_when_recorded_then_each_has_its_own_sound(
    caller: Softphone, called: Softphone
) -> None:
    first = await caller.dial(called.uri("1"), talk=Talk(play=Tone(400)))
    second = await caller.dial(called.uri("2"), talk=Talk(play=Tone(700)))
    incoming = [await called.next_call(), await called.next_call()]
    for call in (first, second):
        await call.answered()
        await call.send_digits("1", after=0.8)
        await call.hang_up()
    for call, frequency in zip(incoming, (400, 700), strict=True):
        heard = load_wav(await call.recorded())
        assert tone_share(heard, frequency, 0.1, 0.5) > 0.9


async def test_given_recording_switched_off_when_called_then_there_is_no_file(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan(Answer(record=False, hang_up_after=0.1))
    await caller.dial(called.uri(CALLED))
    call = await called.next_call()
    with pytest.raises(PhoneError, match="nothing was recorded"):
        await call.recorded()
    assert not call.recording.exists()


async def test_given_a_call_that_is_over_when_told_to_do_more_then_it_is_refused(
    caller: Softphone, called: Softphone
) -> None:
    call = await caller.dial(called.uri(CALLED))
    await call.answered()
    sounding = asyncio.create_task(call.play(Tone(440, seconds=30)))
    await caller.wait_until(lambda: call.event("sound_started"), 5, "sound")
    await (await called.next_call()).hang_up()
    with pytest.raises(PhoneError, match="over"):
        await sounding
    with pytest.raises(PhoneError, match="over"):
        await call.send_digits("1")


async def test_given_a_wrong_address_when_dialled_then_it_is_refused_and_the_phone_goes_on(
    caller: Softphone, called: Softphone
) -> None:
    with pytest.raises(PhoneError, match="could not dial"):
        await caller.dial("no address")
    call = await caller.dial(called.uri(CALLED))
    await call.answered()


async def test_given_nobody_answers_at_all_when_the_caller_gives_up_then_its_call_ends(
    caller: Softphone, called: Softphone
) -> None:
    await called.set_plan(Silent())
    call = await caller.dial(called.uri(CALLED))
    await called.next_call()
    await call.hang_up()
    assert (await call.ended()).by_phone


async def test_given_nobody_calls_when_waited_for_then_the_time_limit_says_so(called: Softphone) -> None:
    with pytest.raises(PhoneTimeoutError, match="a call to called"):
        await called.next_call(timeout=0.1)


async def test_given_a_phone_in_a_call_when_it_is_stopped_then_it_hangs_up_and_keeps_the_recording(
    caller: Softphone, tmp_path: Path
) -> None:
    async with Softphone.start(directory=tmp_path, name="leaving") as phone:
        call = await caller.dial(phone.uri(CALLED), talk=Talk(play=Tone(440)))
        await call.answered()
        await call.send_digits("1", after=0.5)
        pid = phone.pid
    assert not (await call.ended()).by_phone
    assert load_wav(phone.calls[0].recording).seconds > 0.4
    assert not Path(f"/proc/{pid}").exists()


async def test_given_a_phone_whose_process_dies_when_waited_for_then_it_is_told_at_once(
    tmp_path: Path,
) -> None:
    async with Softphone.start(directory=tmp_path, name="dying") as phone:
        waiting = asyncio.create_task(phone.next_call(timeout=30))
        os.kill(phone.pid, signal.SIGKILL)
        with pytest.raises(PhoneError, match="process of dying has ended"):
            await asyncio.wait_for(waiting, 5)


async def test_given_a_parent_that_is_killed_when_it_had_phones_then_they_end_too(tmp_path: Path) -> None:
    script = f"""
import asyncio
from pathlib import Path
from testbed.softphone import Softphone
async def main():
    async with Softphone.start(directory=Path({str(tmp_path)!r})) as phone:
        print(phone.pid, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": _ROOT}
    )
    assert parent.stdout is not None
    phone = os.pidfd_open(int(await parent.stdout.readline()))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(phone, ended.set)
    try:
        parent.kill()
        await parent.wait()
        await asyncio.wait_for(ended.wait(), 5)
    finally:
        asyncio.get_running_loop().remove_reader(phone)
        os.close(phone)


async def test_given_a_taken_port_when_started_then_the_reason_is_told(
    called: Softphone, tmp_path: Path
) -> None:
    with pytest.raises(PhoneError, match="Address already in use"):
        async with Softphone.start(directory=tmp_path, port=called.port):
            pass


async def test_given_a_recording_when_loaded_then_it_is_8_khz(caller: Softphone, called: Softphone) -> None:
    await called.set_plan(Answer(hang_up_after=0.2))
    call = await caller.dial(called.uri(CALLED))
    heard: Audio = load_wav(await call.recorded())
    assert heard.rate == 8000


_ROOT = str(Path(__file__).resolve().parents[3])

"""SIPp calls a phone, a phone calls SIPp, and SIPp calls SIPp."""

import os
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from controller.prompts import alaw, wav
from testbed.asterisk import LauncherError, obtain_asterisk
from testbed.listening import load_wav, tone_share
from testbed.sip_message import SipMessage
from testbed.sipp import Load, Sipp, SippError
from testbed.softphone import PhoneError, PhoneTimeoutError, Registration, Softphone
from testbed.softphone_plan import Answer, Talk, Tone


@pytest.fixture(scope="session")
def command() -> Sequence[str]:
    found = shutil.which("sipp")
    if found is not None:
        return (found,)
    try:
        unpacked = obtain_asterisk().sipp
    except LauncherError as error:
        pytest.skip(str(error))
    return unpacked or pytest.skip("no SIPp on this machine")


@pytest.fixture
async def phone(tmp_path: Path) -> AsyncIterator[Softphone]:
    pytest.importorskip("pjsua2")
    async with Softphone.start(directory=tmp_path, name="phone") as running:
        yield running


async def test_given_a_caller_and_a_far_end_when_the_load_is_over_then_all_calls_are_counted(
    command: Sequence[str], tmp_path: Path
) -> None:
    async with Sipp.start("answer", directory=tmp_path, command=command) as far_end:
        remote = far_end.contact.removeprefix("sip:")
        load = Load(calls=40, rate=100)
        caller = Sipp.start(
            "call", directory=tmp_path, command=command, remote=remote, load=load, talking=0.1
        )
        async with caller as calling:
            called = await calling.finished()
        answered = await far_end.stop()
    assert (called.created, called.successful, called.failed) == (40, 40, 0)
    assert (answered.created, answered.successful, answered.failed) == (40, 40, 0)
    assert called.unexpected_messages == answered.unexpected_messages == 0


async def test_given_a_phone_when_sipp_calls_it_then_it_answers_with_alaw(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    await phone.set_plan(Answer(play=Tone(440)))
    async with Sipp.start(
        "call",
        directory=tmp_path,
        command=command,
        remote=phone.contact.removeprefix("sip:"),
        number="13900001111",
        load=Load(calls=2, rate=5, at_once=1),
        talking=0.3,
    ) as caller:
        for _ in range(2):
            call = await phone.next_call()
            assert (call.caller, call.called) == ("sipp", "13900001111")
            assert not (await call.ended()).by_phone
        assert (await caller.finished()).successful == 2


async def test_given_an_echo_when_a_phone_plays_a_tone_then_it_hears_it_again(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    async with Sipp.start("answer", directory=tmp_path, command=command, echo=True) as far_end:
        call = await phone.dial(far_end.uri("1"), talk=Talk(play=Tone(440, seconds=0.8), hang_up_after=1.0))
        heard = load_wav(await call.recorded())
        assert (await far_end.stop()).successful == 1
    assert tone_share(heard, 440, 0.2, 0.6) > 0.9


async def test_given_a_busy_far_end_when_called_then_the_caller_gets_486(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    async with Sipp.start("busy", directory=tmp_path, command=command) as far_end:
        assert (await (await phone.dial(far_end.uri("1"))).ended()).status == 486
        counted = await far_end.stop()
    assert (counted.created, counted.successful, counted.failed) == (1, 1, 0)


async def test_given_a_far_end_that_plays_when_a_phone_calls_it_then_it_hears_the_sound_over_and_over(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    moments = np.arange(wav.RATE // 10) / wav.RATE
    tone = (8000 * np.sin(2 * np.pi * 440 * moments)).astype(np.int16)
    (tmp_path / "sound.alaw").write_bytes(alaw.encode(tone))
    async with Sipp.start("answer_and_play", directory=tmp_path, command=command) as far_end:
        call = await phone.dial(far_end.uri("1"), talk=Talk(hang_up_after=1.0))
        heard = load_wav(await call.recorded())
        assert (await far_end.stop()).successful == 1
    assert tone_share(heard, 440, 0.2, 0.6) > 0.9


async def test_given_a_far_end_that_hangs_up_when_a_phone_calls_it_then_it_does_so_in_time(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    far_end_that_hangs_up = Sipp.start(
        "answer_and_hang_up", directory=tmp_path, command=command, talking=0.5, trace_messages=True
    )
    async with far_end_that_hangs_up as far_end:
        call = await phone.dial(far_end.uri("1"))
        answered, ended = await call.answered(), await call.ended()
        assert not ended.by_phone
        assert 0.4 < ended.at - answered.at < 2.0
        counted = await far_end.stop()
    assert (counted.successful, counted.failed, counted.unexpected_messages) == (1, 0, 0)
    traced = far_end.messages()
    said = [(message.received, SipMessage(message.text).header("CSeq").split()[1]) for message in traced]
    assert said == [(True, "INVITE"), (False, "INVITE"), (True, "ACK"), (False, "BYE"), (True, "BYE")]
    assert 0.4 < traced[3].at - traced[2].at < 2.0


async def test_given_a_far_end_that_rings_when_its_time_is_over_then_it_answers(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    async with Sipp.start("ringing_then_answer", directory=tmp_path, command=command, ringing=0.4) as far_end:
        call = await phone.dial(far_end.uri("1"))
        ringing, answered = await call.ringing(), await call.answered()
        assert 0.3 < answered.at - ringing.at < 2.0
        # Longer than it rang: the ringing time must not end the call.
        with pytest.raises(PhoneTimeoutError):
            await call.ended(timeout=0.8)
        await call.hang_up()
        await call.ended()
        counted = await far_end.stop()
    assert (counted.successful, counted.failed) == (1, 0)


async def test_given_a_far_end_that_rings_when_the_caller_gives_up_then_the_call_is_cancelled(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    async with Sipp.start("ringing_then_answer", directory=tmp_path, command=command, ringing=30) as far_end:
        call = await phone.dial(far_end.uri("1"))
        await call.ringing()
        await call.hang_up()
        assert (await call.ended()).status == 487
        counted = await far_end.stop()
    assert (counted.successful, counted.failed, counted.unexpected_messages) == (1, 0, 0)


async def test_given_a_call_that_is_on_when_stopped_then_sipp_ends_in_time(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    async with Sipp.start("answer", directory=tmp_path, command=command) as far_end:
        call = await phone.dial(far_end.uri("1"))
        await call.answered()
        counted = await far_end.stop(timeout=0.3)
        assert counted.created == 1
        assert not Path(f"/proc/{far_end.pid}").exists()


async def test_given_a_taken_port_when_started_then_the_reason_is_told(
    command: Sequence[str], tmp_path: Path, phone: Softphone
) -> None:
    with pytest.raises(SippError, match=r"[Bb]ind|in use"):
        async with Sipp.start("answer", directory=tmp_path, command=command, port=phone.port):
            pass


async def test_given_a_far_end_that_died_when_asked_for_its_counts_then_that_is_told(
    command: Sequence[str], tmp_path: Path
) -> None:
    async with Sipp.start("answer", directory=tmp_path, command=command) as far_end:
        os.kill(far_end.pid, signal.SIGKILL)
        with pytest.raises(SippError, match="ended with -9"):
            await far_end.finished()
        with pytest.raises(SippError, match="ended with -9"):
            await far_end.stop()


async def test_given_an_exception_in_the_block_when_it_leaves_then_sipp_is_gone(
    command: Sequence[str], tmp_path: Path
) -> None:
    class Trouble(Exception):
        pass

    with pytest.raises(Trouble):
        async with Sipp.start("answer", directory=tmp_path, command=command) as far_end:
            os.kill(far_end.pid, 0)
            raise Trouble
    with pytest.raises(ProcessLookupError):
        os.kill(far_end.pid, 0)


async def test_given_an_account_when_a_phone_starts_and_ends_then_it_registers_and_unregisters(
    command: Sequence[str], tmp_path: Path
) -> None:
    pytest.importorskip("pjsua2")
    async with Sipp.start(_REGISTRAR, directory=tmp_path, command=command) as registrar:
        account = Registration(registrar.contact.removeprefix("sip:"), "phone", "secret")
        async with Softphone.start(directory=tmp_path, name="registered", register=account) as phone:
            accepted = [event.details for event in phone.events if event.kind == "registration"]
            assert [details["status"] for details in accepted] == [200]
        counted = await registrar.stop()
    assert (counted.successful, counted.failed) == (1, 0)


async def test_given_a_wrong_password_when_a_phone_starts_then_it_is_told(
    command: Sequence[str], tmp_path: Path
) -> None:
    pytest.importorskip("pjsua2")
    async with Sipp.start(_REGISTRAR, directory=tmp_path, command=command) as registrar:
        account = Registration(registrar.contact.removeprefix("sip:"), "phone", "wrong")
        with pytest.raises(PhoneError, match="403"):
            async with Softphone.start(directory=tmp_path, name="refused", register=account):
                pass
    assert "wrong" not in repr(account)


_REGISTRAR = Path(__file__).with_name("registrar.xml")

"""Voice verification code on a real Asterisk with a real softphone."""

import pytest
from integration.support import VERIFY_KEY, StartBench

from controller.prompts import wav
from controller.share import shared
from testbed.listening import Audio, decode_alaw, find, load_wav
from testbed.softphone_plan import Answer, Reject

CODE = "482913"


def spoken(language: str, digit: str) -> Audio:
    file = (shared("sounds") / language / f"digit_{digit}.wav").read_bytes()
    return Audio(decode_alaw(wav.read(file)), wav.RATE)


def digits_heard(recording: Audio, language: str, code: str, start: float) -> list[float]:
    """Where each digit of the code was heard, in seconds, each looked for behind the one before."""
    found = []
    for digit in code:
        sample = spoken(language, digit)
        match = find(sample, recording.part(start, start + sample.seconds + 2.2))
        assert match.correlation > 0.7, (digit, match)
        start += match.offset + sample.seconds * 0.8
        found.append(start)
    return found


@pytest.mark.requirement("A3.1")
@pytest.mark.parametrize(("language_type", "language"), [(2, "zh"), (1, "en"), (9, "zh")])
async def test_A3_1_given_a_code_when_answered_then_pre_tone_digits_and_post_tone_are_heard_in_order(
    bench: StartBench, language_type: int, language: str
) -> None:
    b = await bench(Answer())

    session = await b.verify(CODE, languageType=language_type, posTone="two.wav", times=1)
    call = await b.phone.next_call()
    heard = load_wav(await call.recorded(timeout=30))
    statuses, cdr = await b.over(session)

    pre = find(load_wav(b.home.directory / "one.wav"), heard)
    post = find(load_wav(b.home.directory / "two.wav"), heard)
    assert pre.correlation > 0.7
    assert post.correlation > 0.7
    ends = digits_heard(heard, language, CODE, pre.offset + 0.9)
    assert ends[-1] < post.offset + 0.5
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"], cdr["serviceType"]) == (0, 0, "001")


@pytest.mark.requirement("A3.1")
async def test_A3_1_given_a_number_of_times_when_read_then_the_code_is_heard_so_often(
    bench: StartBench,
) -> None:
    b = await bench(Answer())

    session = await b.verify("47", times=2)
    call = await b.phone.next_call()
    heard = load_wav(await call.recorded(timeout=30))
    await b.over(session)

    digits_heard(heard, "zh", "4747", 0.9)


@pytest.mark.requirement("A3.1")
async def test_A3_1_given_times_0_when_read_then_it_goes_on_until_the_phone_hangs_up(
    bench: StartBench,
) -> None:
    b = await bench(Answer(hang_up_after=7.0))

    session = await b.verify("12", times=0)
    call = await b.phone.next_call()
    end = await call.ended(timeout=20)
    statuses, _cdr = await b.over(session)

    assert end.by_phone
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A3.1")
async def test_A3_1_given_a_code_when_the_call_is_over_then_the_code_is_nowhere_but_in_the_audio(
    bench: StartBench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    b = await bench(Answer(hang_up_after=4.0))
    code = "70818297"

    session = await b.verify(code, times=0)
    await b.over(session, timeout=20)
    await b.stack.aclose()

    pushed = b"".join(push.body for push in b.receiver.pushes)
    assert code.encode() not in pushed
    assert b"digit_" not in pushed
    assert code not in caplog.text
    spaced = " ".join(code)
    for place in [
        *b.home.settings.data_dir.rglob("*.db*"),
        *b.home.directory.joinpath("asterisk/log").iterdir(),
    ]:
        content = place.read_bytes()
        assert code.encode() not in content, place
        assert spaced.encode() not in content, place


@pytest.mark.requirement("A3.1")
async def test_A3_1_given_a_busy_phone_when_called_then_8102(bench: StartBench) -> None:
    b = await bench(Reject(486))

    statuses, _cdr = await b.over(await b.verify(CODE))

    assert statuses[-1].info["stateCode"] == 8102


@pytest.mark.requirement("A1.6")
async def test_A1_6_given_a_code_being_read_when_stopped_then_8017(bench: StartBench) -> None:
    b = await bench(Answer())
    session = await b.verify(CODE)
    await b.receiver.wait_status(session, "answer")

    answer = await b.stop(session, VERIFY_KEY)
    statuses, _cdr = await b.over(session)

    assert answer.code == "0"
    assert statuses[-1].info["stateCode"] == 8017

"""Voice verification code on a real Asterisk with a real softphone."""

from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from engine import engine_name
from integration.support import VERIFY_KEY, Bench, StartBench

from controller.prompts import wav
from controller.settings import Settings
from controller.share import shared
from controller.store.engines import make_engine
from controller.store.schema import METADATA
from controller.store.sealing import seal_of
from testbed.listening import Audio, decode_alaw, find, load_wav
from testbed.softphone_plan import Answer, Reject

CODE = "482913"


def digit_file(language: str, digit: str) -> bytes:
    return (shared("sounds") / language / f"digit_{digit}.wav").read_bytes()


def spoken(language: str, digit: str) -> Audio:
    return Audio(decode_alaw(wav.read(digit_file(language, digit))), wav.RATE)


def digit_starts(recording: Audio, language: str, code: str, start: float) -> list[float]:
    """When each digit of the code began, in seconds, each looked for behind the one before."""
    found = []
    for digit in code:
        sample = spoken(language, digit)
        match = find(sample, recording.part(start, start + sample.seconds + 2.2))
        assert match.correlation > 0.55, (digit, match)
        found.append(start + match.offset)
        start += match.offset + sample.seconds * 0.8
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
    starts = digit_starts(heard, language, CODE, pre.offset + 0.9)
    assert starts[-1] < post.offset
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"], cdr["serviceType"]) == (0, 0, "001")


@pytest.mark.requirement("A3.1")
@pytest.mark.parametrize("times", [None, 2], ids=["not given", "two"])
async def test_A3_1_given_a_number_of_times_when_read_then_the_code_is_heard_so_often_and_the_call_ends(
    bench: StartBench, times: int | None
) -> None:
    b = await bench(Answer())
    readings = times or 3

    session = await b.verify("47", **({} if times is None else {"times": times}))
    end_of_call = await (call := await b.phone.next_call()).ended(timeout=30)
    heard = load_wav(await call.recorded())
    await b.over(session)

    starts = digit_starts(heard, "zh", "47" * readings, 0.9)
    # Without a post tone nothing follows the last reading but its pause.
    assert heard.seconds < starts[-1] + 0.6 + 2.0
    assert not end_of_call.by_phone


@pytest.mark.requirement("A3.1")
@pytest.mark.parametrize("code", ["90", "48291375"], ids=["shortest", "longest"])
async def test_A3_1_given_a_code_of_any_length_when_read_then_its_digits_come_at_an_even_pace(
    bench: StartBench, code: str
) -> None:
    b = await bench(Answer())

    session = await b.verify(code, times=1)
    heard = load_wav(await (await b.phone.next_call()).recorded(timeout=30))
    await b.over(session)

    starts = digit_starts(heard, "zh", code, 0.9)
    paces = [later - earlier for earlier, later in pairwise(starts)]
    within = [pace for index, pace in enumerate(paces, 1) if index % 3]
    between = [pace for index, pace in enumerate(paces, 1) if index % 3 == 0]
    for group in (within, between):
        assert not group or max(group) - min(group) < 0.3, paces
    assert all(0.4 < pace < 1.2 for pace in within), paces


@pytest.mark.requirement("A3.1", "A4.5")
async def test_A3_1_given_wrong_codes_and_times_when_asked_for_then_each_is_refused_and_none_is_repeated(
    bench: StartBench,
) -> None:
    b = await bench()

    for code in ("1", "123456789", "12a4", "12 34", "", "\u0661\u0662\u0663", 4711):
        answer = await b.ask_verify(code)
        assert (answer.status, answer.code) == (403, "1010022"), code
        assert len(str(code)) < 3 or str(code) not in answer.text
    for field, value in (("times", 10), ("times", -1), ("preTone", None), ("languageType", None)):
        answer = await b.ask_verify("4711", **{field: value})
        assert (answer.status, answer.code) == (403, "1010002"), field
        assert field in answer.description
    assert b.receiver.pushes == []


@pytest.mark.requirement("A3.1")
async def test_A3_1_given_times_0_when_read_then_it_goes_on_until_the_phone_hangs_up(
    bench: StartBench,
) -> None:
    b = await bench(Answer(hang_up_after=12.5))

    session = await b.verify("12", times=0)
    call = await b.phone.next_call()
    end = await call.ended(timeout=25)
    heard = load_wav(await call.recorded())
    statuses, _cdr = await b.over(session)

    assert end.by_phone
    assert len(digit_starts(heard, "zh", "12" * 4, 0.9)) == 8, "0 is no number of times, nor is the usual 3"
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A3.1")
async def test_A3_1_given_a_code_when_the_call_is_over_then_the_code_is_nowhere_but_in_the_audio(
    bench: StartBench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    b = await bench(Answer(hang_up_after=4.0))
    code = "70818297"

    # Each digit is a file of this name, so the names in their order are the code too.
    prompts = [sha256(wav.read(digit_file("zh", digit))).hexdigest() for digit in set(code)]
    telling = [text.encode() for text in (code, " ".join(code), "-".join(code), "digit_", *prompts)]

    session = await b.verify(code, times=0)
    await b.over(session, timeout=20)

    # While it runs: then what was written last is in the write-ahead log.
    data = b.home.settings.data_dir
    assert engine_name() != "sqlite" or list(data.glob("*.db-wal"))
    rows = rows_of(b.home.settings)
    places = {
        "rows": rows,
        "pushes": b"".join(push.body for push in b.receiver.pushes),
        "log": caplog.text.encode(),
        **{path.name: path.read_bytes() for path in data.glob("*.db*")},
        **{path.name: path.read_bytes() for path in (b.home.directory / "asterisk/log").iterdir()},
    }
    for place, content in places.items():
        assert [text for text in telling if text in content] == [], place
    assert b"+8613900001111" in rows


def rows_of(settings: Settings) -> bytes:
    """Everything that a database holds."""
    engine = make_engine(settings.database_url, seal=seal_of("", settings.secret_key_file))
    with engine.connect() as connection:
        found = [
            f"{table.name} {row}\n"
            for table in METADATA.tables.values()
            for row in connection.execute(table.select())
        ]
    engine.dispose()
    return "".join(found).encode()


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


@pytest.mark.requirement("A3.1")
async def test_A3_1_given_a_pre_tone_that_vanishes_while_ringing_when_answered_then_8006_and_no_code_is_heard(
    bench: StartBench,
) -> None:
    b = await bench(Answer(after=1.0))
    stored = pre_tone_file(b)

    session = await b.verify(CODE, times=1)
    call = await b.phone.next_call()
    stored.unlink()
    heard = load_wav(await call.recorded(timeout=30))
    statuses, cdr = await b.over(session)

    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (8006, 524)
    assert heard.seconds < spoken("zh", CODE[0]).seconds + 0.5


@pytest.mark.requirement("A3.1")
async def test_A3_1_given_a_pre_tone_that_vanished_when_asked_for_a_code_then_8006_and_no_phone_rings(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    pre_tone_file(b).unlink()

    statuses, cdr = await b.over(await b.verify(CODE, times=1))

    assert [status.event_type for status in statuses] == ["disconnect"]
    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (8006, 524)


def pre_tone_file(bench: Bench) -> Path:
    """What Asterisk plays of it."""
    sound = wav.read((bench.home.directory / "one.wav").read_bytes())
    (stored,) = (
        path for path in bench.home.settings.prompt_dir.rglob("*.alaw") if path.read_bytes() == sound
    )
    return stored

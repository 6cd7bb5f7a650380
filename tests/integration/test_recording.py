"""Recordings of callbacks, from two real phones to the customer's download."""

import struct
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from integration.recordings import (
    audio_of,
    download_url,
    fetched,
    state_of_recording,
    until_recording_is,
)
from integration.support import (
    APP_KEY,
    CALLBACK_KEY,
    QUICK,
    SECOND,
    SECRET,
    VERIFY_KEY,
    StartBench,
    declaration,
)
from sqlmodel import Session, select

from controller.settings import RecordingSettings
from controller.share import shared
from controller.store.directory import count_change
from controller.store.tables import App, Recording
from testbed.listening import find, load_wav, share_heard, tone_share, tone_stretches
from testbed.softphone_plan import Answer, Tone

pytestmark = pytest.mark.requirement("A1.5")

A_TONE, B_TONE = 700, 900
SIMULATED = QUICK.simulated_prefix


class ShiftedClock:
    """The time of later."""

    def __init__(self, later: timedelta) -> None:
        self._later = later

    def now(self) -> datetime:
        return datetime.now(UTC) + self._later


async def test_A1_5_given_a_recorded_callback_when_over_then_both_voices_are_in_the_file_it_names(
    bench: StartBench,
) -> None:
    b = await bench(
        Answer(play=Tone(A_TONE)), phones={SECOND: Answer(after=1.0, play=Tone(B_TONE), hang_up_after=4.0)}
    )

    session = await b.call_back(
        recordFlag="true", playPreVoice="true", preVoice="two.wav", waitVoice="wait.wav", calleeMedia="none"
    )
    heard_by_a = load_wav(await (await b.phone.next_call()).recorded())
    _statuses, cdr = await b.over(session)
    _link, file = await fetched(b, cdr["recordObjectName"])

    assert file[:58] == alaw_header(len(file) - 58)
    recording = audio_of(file)
    assert 3.5 < recording.seconds < 4.5
    for tone in (A_TONE, B_TONE):
        # Mixed in equal parts, each has about half of the power.
        assert tone_share(recording, tone, 0.3, 3.3) > 0.3, tone
    # It starts at B's answer, so what A heard before is not in it.
    for name in ("two.wav", "wait.wav"):
        prompt = load_wav(b.home.directory / name).part(0, 0.7)
        assert find(prompt, heard_by_a).correlation > 0.7, name
        assert find(prompt, recording).correlation < 0.4, name
    # Without a hint tone nothing is played to them.
    assert sum(stretch.seconds for stretch in tone_stretches(heard_by_a, B_TONE)) > 3.0
    assert (cdr["recordFlag"], cdr["recordBucketName"]) == (1, "recordings")
    assert cdr["recordStartTime"] >= cdr["fwdAnswerTime"]


def alaw_header(size: int) -> bytes:
    """In front of so many bytes of A-law: 8000 Hz, 64 kbit/s, mono, 8 bits, no extension."""
    form = struct.pack("<HHIIHHH", 6, 1, 8000, 8000, 1, 8, 0)
    return (
        b"RIFF" + struct.pack("<I", 50 + size) + b"WAVE"
        b"fmt " + struct.pack("<I", 18) + form +
        b"fact" + struct.pack("<II", 4, size) +
        b"data" + struct.pack("<I", size)
    )  # fmt: skip


async def test_A1_5_given_a_recording_when_its_days_are_over_then_links_expire_and_file_and_row_are_purged(
    bench: StartBench,
) -> None:
    talks = f"{SIMULATED}01600004"
    b = await bench()
    session = await b.call_back(callerNbr=f"{SIMULATED}01600000", calleeNbr=talks, recordFlag="true")
    _statuses, cdr = await b.over(session)
    name = cdr["recordObjectName"]
    link, file = await fetched(b, name)
    (path,) = b.home.settings.recording_dir.rglob("*.wav")
    assert path.read_bytes() == file

    async with aiohttp.ClientSession() as http:
        for wanted, status, part in (
            ("bytes=58-65", 206, file[58:66]),
            ("bytes=-100", 206, file[-100:]),
            (f"bytes={len(file) - 7}-", 206, file[-7:]),
            (f"bytes={len(file)}-", 416, b""),
        ):
            async with http.get(link, headers={"Range": wanted}) as answer:
                assert (answer.status, (await answer.read())[: len(file)]) == (status, part), wanted
        async with http.head(link) as head:
            assert (head.status, head.headers["Content-Length"]) == (200, str(len(file)))
        last = "0" if link[-1] != "0" else "1"
        for forged in (
            link[:-1] + last,
            link.replace(name, "other.wav"),
            link.replace("expires=", "expires=9"),
        ):
            async with http.get(forged) as answer:
                assert (answer.status, (await answer.json())["resultcode"]) == (403, "1010002"), forged
    await b.close_controller()

    # The row counts from the start of the recording.
    for later, state in ((timedelta(days=7, seconds=-60), "stored"), (timedelta(days=7), "purged")):
        async with b.home.serving(APP_KEY, SECRET, clock=ShiftedClock(later)) as (b.controller, b.client):
            await until_recording_is(b, state)
            old = link.replace(link[: link.index("/recordings/")], b.controller.url)
            created = (datetime.now(UTC) + later).strftime("%Y-%m-%dT%H:%M:%SZ")
            status, headers, body = await download_url(b, name, created=created)
            async with aiohttp.ClientSession() as http:
                async with http.get(old) as expired:
                    assert (expired.status, (await expired.json())["resultcode"]) == (403, "1010002")
                if state == "stored":
                    async with http.get(headers["Location"]) as answer:
                        assert (status, await answer.read()) == (301, file)
    assert (status, body["resultcode"]) == (403, "1016002")
    assert not path.exists()


async def test_A1_5_given_a_hint_tone_when_recording_begins_then_both_hear_it(bench: StartBench) -> None:
    b = await bench(Answer(), phones={SECOND: Answer(hang_up_after=2.0)})

    session = await b.call_back(recordFlag="true", recordHintTone="two.wav")
    a, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
    heard_by_a, heard_by_b = load_wav(await a.recorded()), load_wav(await second.recorded())
    await b.over(session)

    hint = load_wav(b.home.directory / "two.wav")
    assert share_heard(hint, heard_by_a, length=0.25) > 0.6
    assert share_heard(hint, heard_by_b, length=0.25) > 0.6


@pytest.mark.requirement("C3")
async def test_C3_given_consent_to_inspection_when_a_recording_is_drawn_then_both_hear_its_own_hint(
    bench: StartBench,
) -> None:
    b = await bench(
        Answer(),
        phones={SECOND: Answer(hang_up_after=5.5)},
        sections={"recordings": RecordingSettings(inspection_percent=100)},
    )

    def consent(session: Session) -> None:
        session.get_one(App, CALLBACK_KEY).quality_inspection = True
        count_change(session)

    await b.controller.database.write(consent)
    await b.controller.directory.refresh()
    session = await b.call_back(recordFlag="true")
    a, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
    heard_by_a, heard_by_b = load_wav(await a.recorded()), load_wav(await second.recorded())
    await b.over(session)

    hint = load_wav(shared("sounds") / "zh" / "recording_hint.wav")
    assert share_heard(hint, heard_by_a, length=0.25) > 0.6
    assert share_heard(hint, heard_by_b, length=0.25) > 0.6
    rows = await b.controller.database.read(lambda session: session.exec(select(Recording)).all())
    assert [row.inspected for row in rows] == [True]


async def test_A1_5_given_a_hint_tone_that_is_gone_when_b_answers_then_they_talk_and_nothing_is_recorded(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer(hang_up_after=3.5)})
    hint = b.controller.directory.now.sound("test", "two.wav")
    (b.home.settings.prompt_dir / hint.digest[:2] / f"{hint.digest}.alaw").unlink()

    statuses, cdr = await b.over(await b.call_back(recordFlag="true", recordHintTone="two.wav"))

    assert (statuses[-1].info["stateCode"], cdr["recordFlag"]) == (0, 0)
    assert "recordObjectName" not in cdr
    assert await state_of_recording(b) is None


async def test_A1_5_given_less_than_three_seconds_of_talk_when_over_then_there_is_no_file(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer(hang_up_after=1.0)})

    _statuses, cdr = await b.over(await b.call_back(recordFlag="true"))

    assert cdr["recordFlag"] == 0
    assert "recordObjectName" not in cdr
    assert await state_of_recording(b) in ("discard", "discarded")


async def test_A1_5_given_an_unknown_or_foreign_name_when_asked_for_then_it_is_refused(
    bench: StartBench,
) -> None:
    b = await bench()

    for name in ("nothing.wav", "../voicecall.db", "%2e%2e/x.wav"):
        status, _headers, body = await download_url(b, name)
        assert (status, body["resultcode"]) == (403, "1016002"), name
    status, _headers, body = await download_url(b, "", key=VERIFY_KEY)
    assert (status, body["resultcode"]) == (403, "1010002")


async def test_A1_5_given_a_recording_of_another_account_when_asked_for_then_it_is_refused_as_unknown(
    bench: StartBench,
) -> None:
    b = await bench()
    await b.home.declare(
        declaration(b.phones)
        + f"""
[[accounts]]
id = "other"
numbers = []

[[accounts.apps]]
key = "foreign-app"
secret = "{SECRET}"
service = "callback"
recording = true
"""
    )
    await b.controller.directory.refresh()
    simulated = {"callerNbr": f"{SIMULATED}01600000", "calleeNbr": f"{SIMULATED}01600004"}
    _statuses, cdr = await b.over(await b.call_back(recordFlag="true", **simulated))
    await fetched(b, cdr["recordObjectName"])

    status, headers, body = await download_url(b, cdr["recordObjectName"], key="foreign-app")

    assert (status, body["resultcode"]) == (403, "1016002")
    assert "Location" not in headers


async def test_A1_5_given_an_app_that_does_not_record_when_asked_to_then_1012012_and_no_call(
    bench: StartBench,
) -> None:
    b = await bench()
    await b.home.declare(declaration(b.phones).replace("recording = true", "recording = false"))
    await b.controller.directory.refresh()

    answer = await b.ask_call_back(recordFlag="true")

    assert (answer.status, answer.code) == (403, "1012012")
    assert answer.description == "Application does not open recording function."
    assert b.receiver.pushes == []

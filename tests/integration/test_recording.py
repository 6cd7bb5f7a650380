"""Recordings of callbacks, from two real phones to the customer's download."""

import aiohttp
import pytest
from integration.recordings import audio_of, download_url, fetched, state_of_recording
from integration.support import SECOND, VERIFY_KEY, StartBench

from controller.prompts import wav
from testbed.listening import load_wav, share_heard, tone_share
from testbed.softphone_plan import Answer, Tone

pytestmark = pytest.mark.requirement("A1.5")

A_TONE, B_TONE = 700, 900


async def test_A1_5_given_a_recorded_callback_when_over_then_both_voices_are_in_the_file_it_names(
    bench: StartBench,
) -> None:
    b = await bench(Answer(play=Tone(A_TONE)), phones={SECOND: Answer(play=Tone(B_TONE), hang_up_after=4.0)})

    _statuses, cdr = await b.over(await b.call_back(recordFlag="true"))
    link, file = await fetched(b, cdr["recordObjectName"])

    form = wav.check(file).form
    assert (form.tag, form.rate, form.channels) == (6, 8000, 1)
    recording = audio_of(file)
    assert 3.0 < recording.seconds < 5.5
    for tone in (A_TONE, B_TONE):
        # Mixed in equal parts, each has about half of the power.
        assert tone_share(recording, tone, 0.5, 3.0) > 0.25, tone
    assert cdr["recordFlag"] == 1
    assert cdr["recordStartTime"] >= cdr["fwdAnswerTime"]
    async with aiohttp.ClientSession() as http:
        async with http.get(link, headers={"Range": "bytes=58-65"}) as part:
            assert (part.status, await part.read()) == (206, file[58:66])
        async with http.get(link[:-4] + "AAAA") as forged:
            assert forged.status == 403


async def test_A1_5_given_a_hint_tone_when_recording_begins_then_both_hear_it(bench: StartBench) -> None:
    b = await bench(Answer(), phones={SECOND: Answer(hang_up_after=2.0)})

    session = await b.call_back(recordFlag="true", recordHintTone="two.wav")
    a, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
    heard_by_a, heard_by_b = load_wav(await a.recorded()), load_wav(await second.recorded())
    await b.over(session)

    hint = load_wav(b.home.directory / "two.wav")
    assert share_heard(hint, heard_by_a, length=0.25) > 0.6
    assert share_heard(hint, heard_by_b, length=0.25) > 0.6


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

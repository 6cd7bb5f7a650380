"""Recordings of callbacks, from two real phones to the customer's download."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from integration.support import CALLBACK_KEY, SECOND, SECRET, VERIFY_KEY, Bench, StartBench
from sqlalchemy import select

from controller.prompts import wav
from controller.store.tables import Recording
from testbed.client import aksk_headers
from testbed.listening import Audio, decode_alaw, load_wav, share_heard, tone_share
from testbed.softphone_plan import Answer, Tone

pytestmark = pytest.mark.requirement("A1.5")

A_TONE, B_TONE = 700, 900


async def state_of_recording(b: Bench) -> str | None:
    return await b.controller.database.read(
        lambda session: session.execute(select(Recording.state)).scalar_one_or_none()
    )


async def download_url(
    b: Bench, name: str, key: str = CALLBACK_KEY, **query: str
) -> tuple[int, Mapping[str, str], Any]:
    """Ask the wire API where a recording is; does not follow."""
    params = {"fileName": name, "recordDomain": "any", **query}
    async with (
        aiohttp.ClientSession(b.controller.url) as http,
        http.get(
            "/rest/provision/voice/record/v1.0",
            params=params,
            headers=aksk_headers(key, SECRET),
            allow_redirects=False,
        ) as answer,
    ):
        body = await answer.json() if answer.content_type == "application/json" else await answer.read()
        return answer.status, dict(answer.headers), body


async def fetched(b: Bench, name: str) -> tuple[str, bytes]:
    """(link, bytes) of a recording, once it is there."""

    async with asyncio.timeout(10):
        while (await download_url(b, name))[0] != 301:  # noqa: ASYNC110 - nothing tells when it is there
            await asyncio.sleep(0.1)
    _status, headers, body = await download_url(b, name)
    assert body == b""
    async with aiohttp.ClientSession() as http, http.get(headers["Location"]) as answer:
        assert answer.status == 200
        return headers["Location"], await answer.read()


async def test_A1_5_given_a_recorded_callback_when_over_then_both_voices_are_in_the_file_it_names(
    bench: StartBench,
) -> None:
    b = await bench(Answer(play=Tone(A_TONE)), phones={SECOND: Answer(play=Tone(B_TONE), hang_up_after=4.0)})

    _statuses, cdr = await b.over(await b.call_back(recordFlag="true"))
    link, file = await fetched(b, cdr["recordObjectName"])

    form = wav.check(file).form
    assert (form.tag, form.rate, form.channels) == (6, 8000, 1)
    recording = Audio(decode_alaw(wav.read(file)), wav.RATE)
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

"""Sound files, templates, reviews and contacts over HTTP."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import soundfile
from service.management.world import ALPHA, BETA, World, world
from service.sounds.support import cd_quality

from controller.management.roles import Role
from controller.prompts import wav
from controller.settings import HttpSettings
from controller.store import audit
from testbed.sounds import distinct_prompt

FILE = {"Content-Type": "application/octet-stream"}
HELLO = "/sounds/alpha:hello.wav"


async def upload(world: World, data: bytes, name: str = "hello.wav", **more: str):
    query = "&".join(f"{key}={value}" for key, value in {"name": name, **more}.items())
    return await world.ask("POST", f"/sounds?{query}", data, role=Role.DEVELOPER, of=ALPHA, headers=FILE)


@pytest.mark.requirement("C5", "C7", "C9")
async def test_C5_given_an_mp3_file_when_converted_heard_submitted_and_approved_then_each_step_is_told(
    here: World, tmp_path: Path
) -> None:
    mp3 = cd_quality(tmp_path / "music.mp3", 1.0)
    refused = await upload(here, mp3)
    assert (refused.status, refused.fields) == (422, ["not_a_wav"])
    assert refused.body["detail"] == "The file is not a WAV file (no RIFF/WAVE header)"

    made = await upload(here, mp3, convert="true")
    assert (made.status, made.body["state"], made.body["source"]) == (
        201,
        "draft",
        "MP3, 44100 Hz, 2 channels",
    )
    waveform = await here.ask("GET", f"{HELLO}/waveform?parts=20", role=Role.VIEWER, of=ALPHA)
    assert len(waveform.body["peaks"]) == 20

    submitted = await here.ask("POST", f"{HELLO}/submit", role=Role.DEVELOPER, of=ALPHA)
    assert (submitted.status, submitted.body["state"]) == (200, "submitted")
    (waiting,) = (await here.ask("GET", "/reviews?state=pending")).body["items"]
    assert (waiting["subject"], waiting["submitted_by"]) == ("hello.wav", "developer@alpha")
    approved = await here.ask("POST", f"/reviews/{waiting['id']}/approve", role=Role.OPERATOR)
    assert (approved.status, approved.body["state"]) == (200, "approved")
    again = await here.ask("POST", f"/reviews/{waiting['id']}/approve", role=Role.OPERATOR)
    assert (again.status, again.slug) == (409, "conflict")
    assert (await here.ask("GET", HELLO, role=Role.VIEWER, of=ALPHA)).body["state"] == "approved"

    told = await here.read(lambda session: [(it.action, it.target) for it in audit.entries(session)])
    assert told == [
        ("upload_sound", "alpha:hello.wav"),
        ("submit_sound", "alpha:hello.wav"),
        ("approve_review", waiting["id"]),
    ]


@pytest.mark.requirement("C5")
async def test_C5_given_a_refused_file_that_was_to_be_kept_when_converted_then_it_is_not_sent_again(
    here: World, tmp_path: Path
) -> None:
    refused = await upload(here, cd_quality(tmp_path / "music.mp3", 1.0), keep="true")
    assert (refused.status, refused.fields) == (422, ["not_a_wav"])
    [kept] = refused.body["uses"]
    assert kept["kind"] == "upload"
    body = {"upload": kept["id"], "name": "hello.wav"}

    foreign = await here.ask("POST", "/sounds/conversions", body, role=Role.DEVELOPER, of=BETA)
    assert (foreign.status, foreign.body["detail"]) == (422, "The file is no longer here: upload it again")
    made = await here.ask("POST", "/sounds/conversions", body, role=Role.DEVELOPER, of=ALPHA)
    assert (made.status, made.body["source"]) == (201, "MP3, 44100 Hz, 2 channels")
    assert not list((here.services.settings.upload_dir).glob("*"))
    again = await here.ask("POST", "/sounds/conversions", body, role=Role.DEVELOPER, of=ALPHA)
    assert (again.status, again.fields) == (422, ["upload"])


@pytest.mark.requirement("C5")
async def test_C5_given_refused_files_when_there_are_many_or_time_passes_then_only_the_last_ones_are_kept(
    here: World, tmp_path: Path
) -> None:
    mp3 = cd_quality(tmp_path / "music.mp3", 0.5)
    tickets = [(await upload(here, mp3, keep="true")).body["uses"][0]["id"] for _ in range(5)]
    folder = here.services.settings.upload_dir
    assert len(list(folder.glob("*"))) == 3
    oldest = {"upload": tickets[0], "name": "hello.wav"}
    reply = await here.ask("POST", "/sounds/conversions", oldest, role=Role.DEVELOPER, of=ALPHA)
    assert reply.status == 422
    for path in folder.glob("*"):
        os.utime(path, (0, 0))
    newest = {"upload": tickets[-1], "name": "hello.wav"}
    reply = await here.ask("POST", "/sounds/conversions", newest, role=Role.DEVELOPER, of=ALPHA)
    assert reply.status == 422
    assert not list(folder.glob("*"))


@pytest.mark.requirement("C6")
async def test_C6_given_a_text_that_is_no_template_yet_when_checked_then_its_rules_and_variables_are_told(
    here: World,
) -> None:
    async def checked(text: str) -> Any:
        reply = await here.ask("GET", f"/template-texts/check?text={quote(text)}", role=Role.VIEWER, of=ALPHA)
        assert reply.status == 200, reply.text
        return reply.body

    right = await checked("您好，${TXT_8}")
    assert (right["bytes"], right["most"], right["fault"]) == (17, 900, None)
    assert right["variables"] == [{"name": "${TXT_8}", "sample": "示例内容"}]
    wrong = await checked("${DATE}${TIME}")
    assert "comma" in wrong["fault"]
    heard = await here.ask("GET", f"/template-texts/preview?text={quote('${TXT_99}')}", of=ALPHA)
    assert (heard.status, heard.fields) == (422, ["text"])
    silent = await here.ask("GET", f"/template-texts/preview?text={quote('您好')}", of=ALPHA)
    assert silent.status == 503


@pytest.mark.requirement("C5")
async def test_C5_given_a_file_when_uploaded_then_what_is_heard_is_what_was_sent(here: World) -> None:
    sent = distinct_prompt(1)
    assert (await upload(here, sent)).status == 201
    async with here.http.get(
        f"/api/v1{HELLO}/audio", headers={"Authorization": "Bearer vct_alpha_viewer"}
    ) as answer:
        heard = await answer.read()
        assert answer.content_type == "audio/wav"
    assert len(wav.read(heard)) == len(wav.read(sent))


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../hello.wav", "letters, digits"),
        ("%2Fetc%2Fpasswd.wav", "letters, digits"),
        ("..%5Chello.wav", "letters, digits"),
        ("hello.exe", "must end in .wav"),
        ("", "must end in .wav"),
    ],
)
async def test_C5_given_a_name_that_can_not_be_when_uploaded_then_the_rule_is_told(
    here: World, name: str, words: str
) -> None:
    reply = await upload(here, distinct_prompt(1), name)
    assert (reply.status, reply.fields) == (422, ["name"])
    assert words in reply.body["detail"]


def lying(place: int, layout: str, value: int) -> bytes:
    """A file in the required form, but for one field of its header: RIFF, fmt (at 12), fact, data (at 50)."""
    file = bytearray(distinct_prompt(1))
    struct.pack_into(layout, file, place, value)
    return bytes(file)


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    ("file", "words"),
    [
        (lying(54, "<I", 100_000_000), "announces 100000000 bytes of sound, the file holds 8000"),
        (lying(16, "<I", 0xFFFF_FFFF), "cut off"),
        (lying(16, "<I", 2), "cut off"),
        (lying(42, "<I", 0xFFFF_FFF0), "cut off"),
        (lying(24, "<I", 0), "sampling rate is 0 Hz"),
        (lying(24, "<I", 0xFFFF_FFFF), "sampling rate is 4294967295 Hz"),
        (lying(22, "<H", 0), "has 0 channels"),
        (lying(22, "<H", 0xFFFF), "has 65535 channels"),
        (lying(28, "<I", 0), "header says 0 bit/s"),
        (lying(34, "<H", 0), "0 bits per sample"),
        (lying(20, "<H", 1), "coding is PCM"),
        (lying(20, "<H", 0xFFFE), "coding is"),
        (lying(50, "<I", 0), ""),
        (distinct_prompt(1)[:30], "cut off"),
    ],
)
async def test_C5_given_a_wav_whose_header_lies_when_uploaded_then_the_lie_is_told_and_nothing_is_kept(
    here: World, tmp_path: Path, file: bytes, words: str
) -> None:
    reply = await upload(here, file)
    assert reply.status == 422, reply.text
    assert words in reply.body["detail"]

    converted = await upload(here, file, convert="true")

    assert converted.status in (201, 413, 422), converted.text
    if converted.status == 201:
        heard = (await here.ask("GET", HELLO, of=ALPHA)).body["seconds"]
        assert heard <= 2 * len(file) / wav.RATE
    assert not list((tmp_path / "uploads").glob("*"))


@pytest.mark.requirement("C5")
@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
async def test_C5_given_a_body_of_2_gigabytes_when_uploaded_then_it_is_cut_off_early_and_told_why(
    here: World, *, announced: bool
) -> None:
    size, sent = 2 * 1024**3, 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        piece = bytes(1 << 20)
        while sent < size:
            sent += len(piece)
            yield piece

    headers = {**FILE, "Authorization": "Bearer vct_alpha_developer"}
    if announced:
        headers["Content-Length"] = str(size)
    async with here.http.post("/api/v1/sounds?name=a.wav", data=body(), headers=headers) as answer:
        assert answer.status == 413
        problem = await answer.json(content_type=None)
    assert problem["detail"] == "The file has more than 2097152 bytes (2 MB)"
    # What was under way when the answer came, in buffers of both sides.
    assert sent < 64 * 1024 * 1024


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(("pauses", "status"), [([0.5] * 5, 201), ([0.5, 30], 400)], ids=["slow", "stalled"])
async def test_C5_given_a_slow_line_when_uploading_then_it_may_take_its_time_but_not_stand_still(
    tmp_path: Path, template: Path, pauses: list[float], status: int
) -> None:
    file = distinct_prompt(1, 2.0)
    size = len(file) // len(pauses) + 1

    async def body() -> AsyncIterator[bytes]:
        for number, pause in enumerate(pauses):
            yield file[number * size : (number + 1) * size]
            await asyncio.sleep(pause)

    # All of it takes longer than a request may, but no piece does.
    async with world(tmp_path, template, http=HttpSettings(port=0, read_timeout=2)) as here:
        headers = {**FILE, "Authorization": "Bearer vct_alpha_developer"}
        async with here.http.post("/api/v1/sounds?name=a.wav", data=body(), headers=headers) as answer:
            assert answer.status == status, await answer.text()
    assert not list((tmp_path / "uploads").glob("*"))


@pytest.mark.requirement("C5")
async def test_C5_given_a_small_file_of_hours_when_converted_then_it_is_refused_and_others_are_served(
    here: World, tmp_path: Path
) -> None:
    bomb = tmp_path / "bomb.flac"
    soundfile.write(bomb, np.zeros(8000 * 3600, np.float32), 8000)
    asked = asyncio.create_task(upload(here, bomb.read_bytes(), convert="true"))
    began = asyncio.get_running_loop().time()
    assert (await here.ask("GET", "/sounds", of=ALPHA)).status == 200
    served = asyncio.get_running_loop().time() - began
    reply = await asked
    assert (reply.status, reply.slug) == (413, "too-large")
    assert "longer than 262 seconds" in reply.body["detail"]
    assert served < 1


@pytest.mark.requirement("C5")
async def test_C5_given_calls_that_play_a_file_when_deleted_then_they_are_named(here: World) -> None:
    assert (await upload(here, distinct_prompt(1))).status == 201
    await here.ask("POST", f"{HELLO}/submit", role=Role.DEVELOPER, of=ALPHA)
    files = here.services.content.sounds
    files._in_use = lambda _media: ["1200_1@test"]

    def approve(session) -> None:
        from controller.store.sounds import sound

        row = sound(session, ALPHA, "hello.wav")
        row.usable_digest, row.usable_ms = row.digest, row.duration_ms

    await here.write(approve)
    refused = await here.ask("DELETE", HELLO, role=Role.DEVELOPER, of=ALPHA)
    assert (refused.status, refused.body["uses"]) == (409, [{"kind": "call", "id": "1200_1@test"}])

    files._in_use = lambda _media: []
    assert (await here.ask("DELETE", HELLO, role=Role.DEVELOPER, of=ALPHA)).status == 204
    assert (await here.ask("GET", HELLO, of=ALPHA)).status == 404


@pytest.mark.requirement("C6")
async def test_C6_given_a_template_when_written_edited_and_rejected_then_each_step_is_told(
    here: World,
) -> None:
    who = {"role": Role.DEVELOPER, "of": ALPHA}
    faulty = await here.ask("POST", "/templates", {"text": "${DATE}${TIME}。"}, **who)
    assert (faulty.status, faulty.fields) == (422, ["text"])
    assert "comma between them" in faulty.body["detail"]
    made = await here.ask("POST", "/templates", {"template_id": "t", "text": "您好${TXT_4}。"}, **who)
    assert (made.status, made.body["id"], made.body["variables"]) == (201, "alpha:t", ["${TXT_4}"])
    assert (await here.ask("POST", "/templates", {"template_id": "t", "text": "您好。"}, **who)).status == 409

    read = await here.ask("GET", "/templates/alpha:t", **who)
    edited = await here.ask("PATCH", "/templates/alpha:t", {"text": "再见。"}, headers=read.etag, **who)
    assert (edited.status, edited.body["text"]) == (200, "再见。")
    late = await here.ask("PATCH", "/templates/alpha:t", {"text": "晚了。"}, headers=read.etag, **who)
    assert (late.status, late.slug) == (412, "changed-meanwhile")

    await here.ask("POST", "/templates/alpha:t/submit", **who)
    (waiting,) = (await here.ask("GET", "/reviews?kind=template", **who)).body["items"]
    forbidden = await here.ask("POST", f"/reviews/{waiting['id']}/approve", role=Role.ADMINISTRATOR, of=ALPHA)
    assert forbidden.status == 403
    rejected = await here.ask(
        "POST", f"/reviews/{waiting['id']}/reject", {"reason": "who speaks?"}, role=Role.OPERATOR
    )
    assert rejected.body["state"] == "rejected"
    seen = await here.ask("GET", "/templates/alpha:t", **who)
    assert (seen.body["state"], seen.body["reason"]) == ("rejected", "who speaks?")
    assert (await here.ask("GET", "/templates/alpha:t", role=Role.VIEWER, of=BETA)).status == 404


@pytest.mark.requirement("C6")
async def test_C6_given_no_engine_or_wrong_values_when_a_preview_is_asked_for_then_it_says_which(
    here: World,
) -> None:
    who = {"role": Role.DEVELOPER, "of": ALPHA}
    await here.ask("POST", "/templates", {"template_id": "t", "text": "号码${NUM_4}。"}, **who)
    wrong = await here.ask("GET", "/templates/alpha:t/preview?value=abcd", **who)
    assert (wrong.status, wrong.fields) == (422, ["value"])
    assert "must be 1 to 4 digits" in wrong.body["detail"]
    silent = await here.ask("GET", "/templates/alpha:t/preview", **who)
    assert (silent.status, silent.slug) == (503, "unavailable")


@pytest.mark.requirement("C7")
async def test_C7_given_contacts_when_kept_and_told_then_only_their_account_sees_them(here: World) -> None:
    who = {"role": Role.ADMINISTRATOR, "of": ALPHA}
    wrong = await here.ask("POST", "/contacts", {"email": "nobody"}, **who)
    assert (wrong.status, wrong.fields) == (422, ["email"])
    nothing = await here.ask("POST", "/contacts", {"name": "nobody"}, **who)
    assert nothing.fields == ["webhook_url"]
    assert "needs email or webhook_url" in nothing.body["detail"]
    secret = {"email": "dora@example.com", "webhook_secret": "whsec_" + "a" * 32}
    unsigned = await here.ask("POST", "/contacts", secret, **who)
    assert (unsigned.status, unsigned.fields) == (422, ["webhook_secret"])

    secret = "whsec_" + "a" * 32
    body = {"email": "dora@example.com", "webhook_url": "https://a.example/", "webhook_secret": secret}
    made = await here.ask("POST", "/contacts", body, **who)
    assert (made.status, made.body["signed"]) == (201, True)
    assert secret not in made.text
    place = f"/contacts/{made.body['id']}"
    read = await here.ask("GET", place, **who)
    changed = await here.ask("PUT", place, {"email": "new@example.com"}, headers=read.etag, **who)
    assert (changed.status, changed.body["webhook_url"], changed.body["signed"]) == (200, None, False)

    await upload(here, distinct_prompt(1))
    await here.ask("POST", f"{HELLO}/submit", role=Role.DEVELOPER, of=ALPHA)
    (waiting,) = (await here.ask("GET", "/reviews", **who)).body["items"]
    await here.ask("POST", f"/reviews/{waiting['id']}/approve", role=Role.OPERATOR)
    (notice,) = (await here.ask("GET", "/notices", **who)).body["items"]
    assert (notice["channel"], notice["event"], notice["attempts"]) == ("email", "review.approved", 0)
    assert (await here.ask("GET", "/notices", role=Role.VIEWER, of=BETA)).body["items"] == []

    assert (await here.ask("DELETE", place, **who)).status == 204
    assert (await here.ask("GET", "/contacts", **who)).body["items"] == []
    assert secret not in str(
        await here.read(lambda session: list(map(audit.as_json, audit.entries(session))))
    )

"""The pages of sound files."""

import re
from pathlib import Path

import pytest
from service.console.conftest import Browser, browser, hidden_of
from service.management.world import ALPHA, BETA, World
from service.sounds.support import cd_quality
from sqlmodel import Session, select

from controller.management.roles import Role
from controller.store import audit
from controller.store.tables import ReviewState, SoundFile
from testbed.sounds import distinct_prompt

pytestmark = pytest.mark.requirement("C5", "C9")


@pytest.fixture
async def developer(here: World) -> Browser:
    return await browser(here, Role.DEVELOPER, ALPHA)


async def states(here: World) -> dict[str, str]:
    return await here.read(
        lambda session: {f"{row.account_id}:{row.name}": row.state for row in session.exec(select(SoundFile))}
    )


async def test_C5_given_a_file_of_another_form_when_uploaded_then_its_faults_are_told_and_a_click_converts_it(
    here: World, developer: Browser, tmp_path: Path
) -> None:
    file = cd_quality(tmp_path / "offer.wav", 1.0)

    refused = await developer.upload("/sounds/new", "/sounds/new", {"name": ""}, "my offer.wav", file)

    assert refused.status == 422
    assert "The coding is PCM, it must be A-law" in refused.text
    assert "The sampling rate is 44100 Hz, it must be 8000 Hz" in refused.text
    assert 'value="my-offer.wav"' in refused.text
    converted = await developer.answer(refused, "/sounds/convert", {"name": "offer.wav"})
    assert (converted.status, converted.place) == (303, "/console/sounds/alpha:offer.wav")
    assert await states(here) == {"alpha:offer.wav": "draft"}
    # It waited once.
    again = await developer.answer(refused, "/sounds/convert", {"name": "other.wav", "key": "another"})
    assert again.status == 422
    assert "upload it again" in again.text


async def test_C5_given_a_file_above_2_mb_when_uploaded_then_it_can_still_be_converted(
    here: World, developer: Browser, tmp_path: Path
) -> None:
    file = cd_quality(tmp_path / "long.wav", 30.0)
    assert len(file) > 2 * 1024 * 1024

    refused = await developer.upload("/sounds/new", "/sounds/new", {}, "long.wav", file)

    assert refused.status == 413
    assert "it may have 2097152 bytes (2 MB)" in refused.text
    converted = await developer.answer(refused, "/sounds/convert", {"name": "long.wav"})
    assert converted.place == "/console/sounds/alpha:long.wav"
    assert await states(here) == {"alpha:long.wav": "draft"}


async def test_C5_given_a_file_in_the_required_form_when_uploaded_then_it_is_seen_heard_and_submitted(
    here: World, developer: Browser
) -> None:
    made = await developer.upload(
        "/sounds/new", "/sounds/new", {"name": "hello.wav"}, "x.wav", distinct_prompt(1)
    )
    assert made.place == "/console/sounds/alpha:hello.wav"

    page = await developer.get("/sounds/alpha:hello.wav")

    assert page.status == 200
    assert re.search(r'<path d="M1 [\d.]+V[\d.]+M3 ', page.text)
    assert '<audio controls preload="metadata" src="/api/v1/sounds/alpha%3Ahello.wav/audio"' in page.text
    submitted = await developer.fill("/sounds/alpha:hello.wav", "/sounds/alpha%3Ahello.wav/submit", {})
    assert submitted.status == 303
    assert await states(here) == {"alpha:hello.wav": "submitted"}
    listed = await developer.get("/sounds")
    assert "waits for its review" in listed.text
    told = await here.read(lambda session: [(it.action, it.login) for it in audit.entries(session)])
    assert told == [("upload_sound", "developer@alpha"), ("submit_sound", "developer@alpha")]
    deleted = await developer.fill("/sounds/alpha:hello.wav", "/sounds/alpha%3Ahello.wav/delete", {})
    assert deleted.place == "/console/sounds"
    assert await states(here) == {}


async def test_C5_given_a_name_that_can_not_be_when_uploaded_then_the_rule_stands_beside_what_was_typed(
    developer: Browser,
) -> None:
    refused = await developer.upload(
        "/sounds/new", "/sounds/new", {"name": '"><script>.wav'}, "x.wav", distinct_prompt(1)
    )

    assert refused.status == 422
    assert 'aria-invalid="true" aria-describedby="field-name-fault' in refused.text
    assert "only have letters, digits" in refused.text
    assert "&#34;&gt;&lt;script&gt;.wav" in refused.text
    assert "<script>.wav" not in refused.text


async def test_C5_given_no_file_when_the_form_is_sent_then_it_says_so(developer: Browser) -> None:
    refused = await developer.upload("/sounds/new", "/sounds/new", {"name": "kept.wav"}, "", b"")

    assert refused.status == 422
    assert "Choose a file." in refused.text
    assert 'value="kept.wav"' in refused.text


async def test_C5_given_the_operator_when_uploading_then_the_account_is_asked_for(
    here: World, admin: Browser
) -> None:
    missing = await admin.upload("/sounds/new", "/sounds/new", {"name": "a.wav"}, "a.wav", distinct_prompt(1))
    assert missing.status == 422
    assert 'id="field-account_id-fault"' in missing.text
    made = await admin.upload(
        "/sounds/new", "/sounds/new", {"name": "a.wav", "account_id": BETA}, "a.wav", distinct_prompt(1)
    )
    assert made.place == "/console/sounds/beta:a.wav"
    assert await states(here) == {"beta:a.wav": "draft"}


@pytest.mark.requirement("C1")
async def test_C1_given_another_accounts_sound_or_a_viewer_when_asked_for_then_nothing_is_had(
    here: World, developer: Browser
) -> None:
    await developer.upload("/sounds/new", "/sounds/new", {"name": "a.wav"}, "a.wav", distinct_prompt(1))
    stranger = await browser(here, Role.DEVELOPER, BETA)
    viewer = await browser(here, Role.VIEWER, ALPHA)

    assert (await stranger.get("/sounds/alpha:a.wav")).status == 404
    assert "a.wav" not in (await stranger.get("/sounds")).text
    assert (await viewer.get("/sounds/alpha:a.wav")).status == 200
    assert (await viewer.get("/sounds/new")).status == 403
    csrf = hidden_of(await viewer.get("/me"), "/me/password")["csrf"]
    assert (await viewer.post("/sounds/alpha:a.wav/delete", {"csrf": csrf})).status == 403
    assert await states(here) == {"alpha:a.wav": "draft"}


@pytest.mark.requirement("C1")
async def test_C1_given_a_file_that_waits_when_another_account_converts_it_then_it_is_not_there(
    here: World, developer: Browser, tmp_path: Path
) -> None:
    refused = await developer.upload(
        "/sounds/new", "/sounds/new", {}, "a.wav", cd_quality(tmp_path / "a.wav", 1.0)
    )
    ticket = hidden_of(refused, "/sounds/convert")["upload"]
    stranger = await browser(here, Role.DEVELOPER, BETA)
    csrf = hidden_of(await stranger.get("/sounds/new"), "/sounds/new")["csrf"]

    stolen = await stranger.post(
        "/sounds/convert", {"csrf": csrf, "upload": ticket, "name": "a.wav", "key": "k"}
    )

    assert stolen.status == 422
    assert await states(here) == {}


async def test_C9_given_a_form_with_a_file_and_no_token_when_sent_then_nothing_is_taken(
    here: World, developer: Browser
) -> None:
    refused = await developer.upload(
        "/sounds/new", "/sounds/new", {"csrf": "wrong", "name": "a.wav"}, "a.wav", distinct_prompt(1)
    )

    assert refused.status == 403
    assert await states(here) == {}


async def test_C5_given_a_node_that_cannot_play_a_file_when_shown_in_chinese_then_so_is_the_trouble(
    here: World, developer: Browser
) -> None:
    await developer.upload("/sounds/new", "/sounds/new", {"name": "hello.wav"}, "x.wav", distinct_prompt(1))

    def trouble(session: Session) -> None:
        row = session.exec(select(SoundFile)).one()
        row.state, row.trouble = ReviewState.APPROVED, "node2 can't play it: HTTP 404"

    await here.write(trouble)
    developer.cookies["voicecall-language"] = "zh-CN"

    for path in ("/sounds", "/sounds/alpha:hello.wav"):
        assert "node2 无法播放：HTTP 404" in (await developer.get(path)).text

"""The pages of voice templates."""

import pytest
from service.console.conftest import Browser, browser, hidden_of
from service.management.world import ALPHA, BETA, World

from controller.management.roles import Role
from controller.store.tables import Template

pytestmark = pytest.mark.requirement("C6", "C9")
TEXT = "您好，您的快递${TXT_8}已到，取件码${NUM_6}。"


@pytest.fixture
async def developer(here: World) -> Browser:
    return await browser(here, Role.DEVELOPER, ALPHA)


async def create(developer: Browser, **typed: str) -> str:
    data = {"template_id": "parcel", "name": "Parcels", "text": TEXT, **typed}
    made = await developer.fill("/templates/new", "/templates/new", data)
    assert made.status == 303, made.text
    return made.place


async def test_C6_given_a_text_when_written_edited_and_submitted_then_each_step_is_seen(
    here: World, developer: Browser
) -> None:
    assert await create(developer) == "/console/templates/alpha:parcel"
    page = await developer.get("/templates/alpha:parcel")
    assert TEXT in page.text
    assert 'name="value" value="123456"' in page.text

    # Browsers end lines with CR and LF.
    edited = await developer.fill(
        "/templates/alpha:parcel",
        "/templates/alpha%3Aparcel",
        {"name": "Parcels", "text": "您好，\r\n再见。"},
    )
    assert edited.status == 303
    submitted = await developer.fill("/templates/alpha:parcel", "/templates/alpha%3Aparcel/submit", {})
    assert submitted.status == 303
    row = await here.read(lambda session: session.get(Template, (ALPHA, "parcel")))
    assert (row.text, row.state) == ("您好，\n再见。", "submitted")
    assert "waits for its review" in (await developer.get("/templates")).text
    deleted = await developer.fill("/templates/alpha:parcel", "/templates/alpha%3Aparcel/delete", {})
    assert deleted.place == "/console/templates"
    assert await here.read(lambda session: session.get(Template, (ALPHA, "parcel"))) is None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("包裹${TXT_99}", "The length in ${TXT_99} must be from 1 to 32"),
        ("时间${DATE}${TIME}", "must have a comma between them"),
        ("你" * 301, "The template has 903 bytes, it may have 900"),
    ],
)
async def test_C6_given_a_text_that_breaks_a_rule_when_saved_then_it_is_kept_with_the_rule_beside_it(
    here: World, developer: Browser, text: str, fault: str
) -> None:
    refused = await developer.fill(
        "/templates/new", "/templates/new", {"template_id": "bad", "name": "kept", "text": text}
    )

    assert refused.status == 422
    assert fault in refused.text
    assert f">{text}</textarea>" in refused.text
    assert 'value="kept"' in refused.text
    assert await here.read(lambda session: session.get(Template, (ALPHA, "bad"))) is None


async def test_C6_given_a_text_that_is_being_typed_when_checked_then_bytes_faults_and_variables_are_told(
    here: World, developer: Browser
) -> None:
    hidden = hidden_of(await developer.get("/templates/new"), "/templates/new")
    typed = {**hidden, "text": "包裹${TXT_8}，${DATE", "variable": "${TXT_8}", "value": "柜子"}
    faulty = await developer.post("/templates/check", typed, HX_Request="true")
    assert (faulty.status, "begins with ${ has no }" in faulty.text) == (200, True)
    assert "<html" not in faulty.text

    right = await developer.post(
        "/templates/check", {**typed, "text": "${DATE}，包裹${TXT_8}"}, HX_Request="true"
    )
    assert "fault" not in right.text
    assert 'value="2026/12/31"' in right.text
    # What was typed for a variable stays with it, wherever that moves.
    assert 'value="柜子"' in right.text


async def test_C6_given_no_voice_when_a_preview_is_asked_for_then_it_is_said_why(
    here: World, developer: Browser
) -> None:
    hidden = hidden_of(await developer.get("/templates/new"), "/templates/new")
    part = await developer.post("/templates/preview", {**hidden, "text": TEXT}, HX_Request="true")
    assert part.status == 503
    assert "speech is not available here" in part.text
    assert "<html" not in part.text
    assert (await developer.post("/templates/preview", {**hidden, "text": TEXT})).status == 503


async def test_C9_given_two_who_edit_when_the_second_saves_then_the_conflict_is_told_and_nothing_is_lost(
    here: World, developer: Browser
) -> None:
    await create(developer)
    page = await developer.get("/templates/alpha:parcel")
    action = "/templates/alpha%3Aparcel"
    assert (await developer.answer(page, action, {"name": "one", "text": TEXT})).status == 303
    late = await developer.answer(page, action, {"name": "two", "text": TEXT + "再见。"})
    assert late.status == 412
    assert "Somebody else has changed this meanwhile" in late.text
    assert TEXT + "再见。" in late.text


async def test_C9_given_a_hostile_name_and_text_when_shown_then_they_are_text(
    developer: Browser,
) -> None:
    evil = "</textarea><script>alert(1)</script>"
    await create(developer, name=evil, text=evil + "您好")
    for path in ("/templates", "/templates/alpha:parcel"):
        shown = await developer.get(path)
        assert "<script>alert" not in shown.text
        assert "&lt;script&gt;alert(1)" in shown.text


@pytest.mark.requirement("C1")
async def test_C1_given_another_account_or_a_viewer_when_asking_for_a_template_then_they_may_not(
    here: World, developer: Browser
) -> None:
    await create(developer)
    stranger = await browser(here, Role.DEVELOPER, BETA)
    viewer = await browser(here, Role.VIEWER, ALPHA)
    assert (await stranger.get("/templates/alpha:parcel")).status == 404
    assert (await viewer.get("/templates/new")).status == 403
    seen = await viewer.get("/templates/alpha:parcel")
    assert (seen.status, "<textarea" in seen.text) == (200, False)
    csrf = hidden_of(seen, "/templates/alpha%3Aparcel")["csrf"]
    assert (await viewer.post("/templates/alpha:parcel/delete", {"csrf": csrf})).status == 403

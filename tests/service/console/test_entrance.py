"""Getting in: login, what protects it, and the look of pages."""

import pytest
from service.console.conftest import Browser
from service.management.world import World, user_id

from controller.management.roles import Role
from controller.store.management_tables import User

PASSWORD = "correct horse battery"


async def _with_password(here: World) -> None:
    hashed = await here.services.passwords.hash(PASSWORD)

    def set_it(session: object) -> None:
        session.get_one(User, user_id(Role.ADMINISTRATOR, None)).password_hash = hashed  # type: ignore[attr-defined]

    await here.write(set_it)


@pytest.mark.requirement("C9")
async def test_given_no_session_when_a_page_is_asked_for_then_login_leads_back_to_it(here: World) -> None:
    await _with_password(here)
    visitor = Browser(here)
    asked = await visitor.get("/me?x=1")
    assert (asked.status, asked.place) == (303, "/console/login?then=%2Fme%3Fx%3D1")
    wrong = await visitor.fill(
        "/login?then=%2Fme%3Fx%3D1",
        "/login?then=/me%3Fx%3D1",
        {"login": "administrator@operator", "password": "wrong"},
    )
    assert wrong.status == 401
    assert "Name, password or code is wrong" in wrong.text
    assert 'value="administrator@operator"' in wrong.text
    right = await visitor.fill(
        "/login?then=%2Fme%3Fx%3D1",
        "/login?then=/me%3Fx%3D1",
        {"login": "administrator@operator", "password": PASSWORD},
    )
    assert (right.status, right.place) == (303, "/console/me?x=1")
    assert "administrator@operator" in (await visitor.get("/me")).text


@pytest.mark.parametrize(
    "then", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x"]
)
async def test_given_a_foreign_address_to_return_to_when_logged_in_then_it_is_not_followed(
    here: World, then: str
) -> None:
    await _with_password(here)
    visitor = Browser(here)
    from urllib.parse import quote

    sent = {"login": "administrator@operator", "password": PASSWORD}
    right = await visitor.post(f"/login?then={quote(then, safe='')}", sent)
    assert right.place == "/console/"


@pytest.mark.requirement("C9")
async def test_given_a_form_without_the_sessions_token_when_sent_then_nothing_is_done(admin: Browser) -> None:
    refused = await admin.post("/logout", {})
    assert refused.status == 403
    foreign = await admin.fill("/me", "/logout", {}, Origin="https://evil.example")
    assert foreign.status == 403
    assert (await admin.get("/me")).status == 200
    ended = await admin.fill("/me", "/logout", {})
    assert (ended.status, ended.place) == (303, "/console/login")
    assert (await admin.get("/me")).status == 303


@pytest.mark.requirement("C9")
async def test_given_a_page_when_served_then_no_script_but_ours_can_run(admin: Browser) -> None:
    shown = await admin.get("/me")
    policy = shown.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "onclick" not in shown.text
    assert "style=" not in shown.text


@pytest.mark.requirement("C9")
async def test_given_a_chosen_language_and_theme_when_pages_are_shown_then_they_have_them(
    admin: Browser,
) -> None:
    chosen = await admin.fill("/me", "/look?then=/me", {"language": "zh-CN"})
    assert chosen.place == "/console/me"
    shown = await admin.get("/me")
    assert 'lang="zh-CN"' in shown.text
    assert "应用" in shown.text
    await admin.fill("/me", "/look?then=/me", {"theme": "dark"})
    assert 'data-theme="dark"' in (await admin.get("/me")).text


async def test_given_a_path_that_is_none_when_asked_for_then_the_page_says_so(admin: Browser) -> None:
    shown = await admin.get("/nowhere")
    assert shown.status == 404
    assert "There is no such thing" in shown.text


@pytest.mark.requirement("C9")
async def test_given_no_session_when_the_console_is_opened_then_one_lands_where_ones_role_begins(
    here: World,
) -> None:
    await _with_password(here)
    visitor = Browser(here)
    asked = await visitor.get("/")
    assert (asked.status, asked.place) == (303, "/console/login")
    typed = {"login": "administrator@operator", "password": PASSWORD}
    landed = await visitor.fill("/login", "/login?then=/", typed)
    assert landed.place == "/console/"
    assert (await visitor.get("/")).place == "/console/first-call"


@pytest.mark.requirement("C9")
@pytest.mark.parametrize("path", ["/dashboard/events", "/live/events", "/calls/1200_1/live"])
async def test_given_no_session_when_a_stream_is_asked_for_then_it_says_so_and_ends(
    here: World, path: str
) -> None:
    told = await Browser(here).get(path, Accept="text/html, text/event-stream")
    assert told.headers["Content-Type"].startswith("text/event-stream")
    assert told.text.startswith("event: logged-out\n")

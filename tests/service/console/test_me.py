"""One's own login: password, second factor, sessions."""

import re
from pathlib import Path

import pyotp
import pytest
from service.console.conftest import Browser, browser
from service.console.test_entrance import PASSWORD, _with_password
from service.management.test_second_factor import give_password
from service.management.world import ALPHA, World, user_id, world

from controller.management.roles import Role
from controller.settings import ManagementSettings
from controller.store.management_tables import User

pytestmark = pytest.mark.requirement("C1")

LOGIN = "administrator@operator"
FACTOR = "/me/second-factor"


async def logged_in(here: World, code: str = "") -> Browser:
    visitor = Browser(here)
    typed = {"login": LOGIN, "password": PASSWORD, "code": code}
    landed = await visitor.fill("/login", "/login?then=/", typed)
    assert landed.status == 303, landed.text
    return visitor


def code_of(here: World, secret: str) -> str:
    return pyotp.TOTP(secret).generate_otp(int(here.clock.now().timestamp()) // 30)


async def test_C1_given_no_second_factor_when_set_up_by_its_picture_then_logging_in_asks_for_it(
    here: World,
) -> None:
    await _with_password(here)
    visitor = await logged_in(here)

    shown = await visitor.fill(FACTOR, FACTOR, {"password": PASSWORD})
    secret = re.search(r'data-copy="([A-Z2-7]{32})"', shown.text)
    assert secret is not None
    assert '<img src="data:image/svg+xml' in shown.text
    wrong = await visitor.answer(shown, f"{FACTOR}/confirm", {"code": "000000"})
    assert (wrong.status, "is wrong" in wrong.text, secret[1] in wrong.text) == (422, True, False)
    code = code_of(here, secret[1])
    done = await visitor.answer(wrong, f"{FACTOR}/confirm", {"code": f"{code[:3]} {code[3:]}"})
    assert (done.status, done.place) == (303, "/console/me")

    without = await Browser(here).fill("/login", "/login?then=/", {"login": LOGIN, "password": PASSWORD})
    assert (without.status, "Name, password or code is wrong." in without.text) == (401, True)
    here.clock.time = here.clock.time.replace(minute=1)
    again = await logged_in(here, code_of(here, secret[1]))
    here.clock.time = here.clock.time.replace(minute=2)
    typed = {"password": PASSWORD, "code": code_of(here, secret[1])}
    gone = await again.fill(FACTOR, f"{FACTOR}/remove", typed)
    assert (gone.status, gone.place) == (303, "/console/me")
    await logged_in(here)


async def test_C1_given_a_second_factor_is_demanded_when_one_has_none_then_every_page_leads_to_it(
    tmp_path: Path, template: Path
) -> None:
    async with world(tmp_path, template, management=ManagementSettings(second_factor="everybody")) as here:
        await _with_password(here)
        visitor = await logged_in(here)
        await _led_to_it(visitor)


async def _led_to_it(visitor: Browser) -> None:

    for path in ("/dashboard", "/users", "/first-call", "/tokens/new"):
        asked = await visitor.get(path)
        assert (asked.status, asked.place) == (303, f"/console{FACTOR}"), path
    assert (await visitor.get("/me")).status == 200
    sent = await visitor.post("/tokens/new", {})
    assert sent.place == f"/console{FACTOR}"


async def test_C1_given_other_sessions_when_ended_on_the_page_then_they_are_over(here: World) -> None:
    await _with_password(here)
    mine, other, third = await logged_in(here), await logged_in(here), await logged_in(here)

    page = await mine.get("/me/sessions")
    assert page.text.count("127.0.0.1") >= 3
    wrong = await mine.fill("/me/sessions", "/me/sessions/end", {"password": "wrong", "session_id": ""})
    assert (wrong.status, "is wrong" in wrong.text) == (422, True)
    assert (await other.get("/me")).status == 200
    done = await mine.fill("/me/sessions", "/me/sessions/end", {"password": PASSWORD, "session_id": ""})
    assert (done.status, done.place) == (303, "/console/me/sessions")
    assert [(await one.get("/me")).status for one in (mine, other, third)] == [200, 303, 303]


async def test_C1_given_an_idle_session_when_a_page_keeps_itself_up_to_date_then_that_is_no_use(
    here: World,
) -> None:
    await _with_password(here)
    visitor = await logged_in(here)
    here.clock.time = here.clock.time.replace(minute=59)
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    headers = {"Accept": "text/event-stream", "Cookie": cookies}
    async with here.http.get("/console/dashboard/events", headers=headers) as stream:
        assert stream.status == 200
    here.clock.time = here.clock.time.replace(hour=9, minute=0)

    told = await visitor.get("/dashboard/events", Accept="text/event-stream")

    assert told.text.startswith("event: logged-out\n")


async def test_C1_given_somebody_who_lost_the_app_when_taken_away_on_their_page_then_it_is_gone(
    here: World, admin: Browser
) -> None:
    await give_password(here, Role.DEVELOPER, ALPHA)
    name = user_id(Role.DEVELOPER, ALPHA)

    def set_up(session: object) -> None:
        user = session.get_one(User, name)  # type: ignore[attr-defined]
        user.second_factor, user.second_factor_since = "A" * 32, here.clock.now()

    await here.write(set_up)
    theirs = await browser(here, Role.DEVELOPER, ALPHA)

    place = f"/users/{name}"
    done = await admin.fill(place, f"{place}/second-factor/remove", {})

    assert (done.status, done.place) == (303, f"/console{place}")
    assert "/second-factor/remove" not in (await admin.get(place)).text
    assert (await theirs.get("/me")).status == 303

"""Making a call without a browser: who may sign for whom, and what is made for a first call."""

import pytest
from service.console.conftest import Browser, browser
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, BETA, OPERATOR, World
from sqlmodel import Session

from controller.api.wire.authentication.digests import aksk_digest
from controller.management.roles import Role
from controller.store.tables import App

pytestmark = pytest.mark.requirement("C9")


async def _app(here: World) -> str:
    key: str = await here.write(lambda session: SPECIMENS["app_key"](session))
    return key


async def _proof(visitor: Browser, key: str) -> tuple[int, str]:
    page = await visitor.get("/first-call")
    token = page.text.partition('data-csrf="')[2].partition('"')[0]
    shown = await visitor.post(f"/first-call/{key}/proof", {"csrf": token})
    return shown.status, shown.text


@pytest.mark.parametrize(
    ("role", "of", "status"),
    [
        (Role.DEVELOPER, ALPHA, 200),
        (Role.DEVELOPER, OPERATOR, 200),
        (Role.VIEWER, ALPHA, 403),
        (Role.ADMINISTRATOR, BETA, 404),
    ],
)
async def test_given_an_application_when_a_request_is_signed_then_only_its_developers_can(
    here: World, role: Role, of: str | None, status: int
) -> None:
    key = await _app(here)
    got, text = await _proof(await browser(here, role, of), key)
    assert got == status
    secret = await here.read(lambda session: _secret(session, key))
    assert secret not in text
    if status == 200:
        attributes = dict(part.split("=", 1) for part in text.replace('\\"', "").split(", ") if "=" in part)
        nonce, created = attributes["Nonce"], attributes["Created"].rstrip('"}')
        assert aksk_digest(secret, nonce, created) in text


def _secret(session: Session, key: str) -> str:
    return session.get_one(App, key).secret


@pytest.mark.parametrize(
    ("role", "of", "offers"),
    [
        (Role.ADMINISTRATOR, OPERATOR, True),
        (Role.DEVELOPER, OPERATOR, False),
        (Role.ADMINISTRATOR, ALPHA, False),
    ],
)
async def test_given_nothing_to_call_with_when_the_page_is_opened_then_it_says_what_and_offers_to_make_it(
    here: World, role: Role, of: str | None, offers: bool
) -> None:
    shown = await (await browser(here, role, of)).get("/first-call")
    assert shown.status == 200
    assert "an application for each service" in shown.text
    assert ('action="/console/first-call/prepare"' in shown.text) is offers


async def test_given_a_viewer_when_the_page_is_opened_then_it_is_not_for_them(here: World) -> None:
    assert (await (await browser(here, Role.VIEWER, ALPHA)).get("/first-call")).status == 403


async def test_given_another_accounts_call_when_followed_then_there_is_none(here: World) -> None:
    call_id: str = await here.write(lambda session: SPECIMENS["call_id"](session))
    own = await browser(here, Role.DEVELOPER, ALPHA)
    others = await browser(here, Role.DEVELOPER, BETA)
    assert (await others.get(f"/first-call/calls/{call_id}")).status == 404
    cookies = "; ".join(f"{name}={value}" for name, value in own.cookies.items())
    async with here.http.get(f"/console/first-call/calls/{call_id}", headers={"Cookie": cookies}) as answer:
        assert answer.content_type == "text/event-stream"
        assert "What happens" in (await answer.content.readuntil(b"\n\n")).decode()

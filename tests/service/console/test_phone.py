"""The phone in the browser without a browser: whose it is, and who may use its way to Asterisk."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr
from service.console.conftest import Browser, browser
from service.management.world import ALPHA, OPERATOR, World, user_id, world
from sqlalchemy import select
from sqlmodel import Session
from unit.support import soon

from controller.ari.fake import FakeAsterisk
from controller.management.roles import Role
from controller.settings import AsteriskSettings
from controller.store.management_tables import AuditEntry

pytestmark = pytest.mark.requirement("C9")


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk() as made:
        yield made


@pytest.fixture
async def here(tmp_path: Path, template: Path, asterisk: FakeAsterisk) -> AsyncIterator[World]:
    """A world whose node is connected."""
    settings = AsteriskSettings(
        ari_url=asterisk.address.url,
        ari_user=asterisk.address.user,
        ari_password=SecretStr(asterisk.address.password),
        ami_port=1,
        etc_dir=tmp_path,
    )
    async with world(tmp_path, template, asterisk=settings) as made, made.services.fleet.first as node:
        await soon(node.ari.wait_ready())
        yield made


async def _switch_on(visitor: Browser) -> tuple[int, str]:
    page = await visitor.get("/phone")
    token = page.text.partition('data-csrf="')[2].partition('"')[0]
    shown = await visitor.post("/phone/on", {"csrf": token})
    return shown.status, shown.text


async def _knock(here: World, visitor: Browser | None, **more: object) -> int:
    """The status with which the socket is refused; 101 if it isn't."""
    cookies = "; ".join(f"{name}={value}" for name, value in (visitor.cookies if visitor else {}).items())
    options = {"origin": here.url, "protocols": ("sip",), **more}
    try:
        async with here.http.ws_connect(
            "/console/phone/socket",
            headers={"Cookie": cookies},
            **options,  # type: ignore[arg-type]
        ):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


@pytest.mark.parametrize("of", [OPERATOR, ALPHA], ids=["operator", "account"])
async def test_given_each_role_when_the_phone_is_switched_on_then_developers_and_above_have_one(
    here: World, asterisk: FakeAsterisk, of: str | None
) -> None:
    for role in Role:
        visitor = await browser(here, role, of)
        status, text = await _switch_on(visitor)
        phone = here.services.fleet.phones.of_user(user_id(role, of))
        if role is Role.VIEWER:
            assert (status, phone) == (403, None)
        else:
            assert status == 200, text
            assert phone is not None
            assert phone.account_id == of
            assert phone.password.get_secret_value() in text
            assert ("res_pjsip", "auth", phone.name) in asterisk.objects


async def test_given_a_phone_when_it_was_switched_on_and_off_then_the_trail_says_so_without_its_password(
    here: World, asterisk: FakeAsterisk
) -> None:
    visitor = await browser(here, Role.DEVELOPER, ALPHA)
    await _switch_on(visitor)
    phone = here.services.fleet.phones.of_user(user_id(Role.DEVELOPER, ALPHA))
    assert phone is not None
    token = (await visitor.get("/phone")).text.partition('data-csrf="')[2].partition('"')[0]
    assert (await visitor.post("/phone/off", {"csrf": token})).status == 204
    assert asterisk.objects == {}

    def trail(session: Session) -> list[tuple[str, str]]:
        found = session.execute(select(AuditEntry)).scalars().all()
        assert not any(phone.password.get_secret_value() in str(entry.model_dump()) for entry in found)
        return [(entry.action, entry.target) for entry in found if entry.kind == "phone"]

    assert await here.read(trail) == [("switch_phone_on", phone.name), ("switch_phone_off", phone.name)]


async def test_given_no_form_of_ours_when_the_phone_is_to_be_switched_on_then_it_is_refused(
    here: World,
) -> None:
    visitor = await browser(here, Role.DEVELOPER, ALPHA)
    assert (await visitor.post("/phone/on", {})).status == 403
    assert (await visitor.post("/phone/on", {}, Origin="https://evil.example")).status == 403


async def test_given_a_foreign_page_no_session_or_no_phone_when_the_socket_is_opened_then_it_is_refused(
    here: World,
) -> None:
    visitor = await browser(here, Role.DEVELOPER, ALPHA)
    assert await _knock(here, visitor) == 409
    await _switch_on(visitor)
    assert await _knock(here, None) == 401
    assert await _knock(here, visitor, origin="https://evil.example") == 403
    assert await _knock(here, visitor, origin=None) == 403
    assert await _knock(here, visitor, protocols=()) == 400
    assert await _knock(here, visitor, protocols=("mqtt",)) == 400
    other = await browser(here, Role.OPERATOR, ALPHA)
    assert await _knock(here, other) == 409
    # All is well, but this Asterisk takes no SIP.
    assert await _knock(here, visitor) == 503


async def test_given_a_phone_of_another_session_when_the_socket_is_opened_then_it_is_refused(
    here: World,
) -> None:
    visitor = await browser(here, Role.DEVELOPER, ALPHA)
    await _switch_on(visitor)
    phone = here.services.fleet.phones.of_user(user_id(Role.DEVELOPER, ALPHA))
    assert phone is not None
    phone.session = "another one"
    assert await _knock(here, visitor) == 409

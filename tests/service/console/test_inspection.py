"""The page of quality inspection."""

import pytest
from service.console.conftest import Browser, browser
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, World

from controller.management.roles import Role
from controller.store import audit

pytestmark = pytest.mark.requirement("C3", "C9")


async def test_C3_given_a_drawn_recording_when_listened_to_in_the_page_then_the_trail_says_who(
    here: World, admin: Browser
) -> None:
    name = await here.write(SPECIMENS["inspected_id"])
    page = await admin.get("/inspection")
    assert name in page.text
    assert "<audio" not in page.text
    heard = await admin.answer(page, f"/inspection/{name}", {})
    assert f'src="/recordings/{name}.wav?expires=' in heard.text
    told = await here.read(lambda session: [(it.action, it.target) for it in audit.entries(session)])
    assert told == [("inspect_recording", name)]


@pytest.mark.requirement("C1")
async def test_C1_given_an_accounts_own_people_when_opening_the_page_then_they_may_not(here: World) -> None:
    await here.write(SPECIMENS["inspected_id"])
    own = await browser(here, Role.ADMINISTRATOR, ALPHA)
    assert (await own.get("/inspection")).status == 403
    assert "/console/inspection" not in (await own.get("/me")).text

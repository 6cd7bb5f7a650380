"""Numbers in the browser."""

import re

import pytest
from service.console.conftest import Browser, browser
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, BETA, World

from controller.management.roles import Role
from controller.store.tables import App, Number

pytestmark = pytest.mark.requirement("C4")

NUMBER = "+8657126880001"
PLACE = "/numbers/%2B8657126880001"


async def _number(here: World, **values: object) -> None:
    await here.write(lambda session: session.add(Number(number=NUMBER, account_id=ALPHA, **values)))


async def _state(here: World) -> str:
    found = await here.read(lambda session: session.get_one(Number, NUMBER))
    return str(found.state)


async def test_given_an_order_when_allotted_suspended_and_resumed_then_the_page_offers_the_next_step(
    here: World, admin: Browser
) -> None:
    ordered = await admin.fill("/numbers/new", "/numbers/new", {"account_id": ALPHA, "number": NUMBER})
    assert (ordered.status, ordered.place) == (303, "/console" + PLACE)
    for step, state in (("allot", "active"), ("suspend", "suspended"), ("resume", "active")):
        done = await admin.fill(PLACE, f"{PLACE}/{step}", {})
        assert done.status == 303
        assert await _state(here) == state
    listed = await admin.get("/numbers?state=active")
    assert f'data-open="/console{PLACE}"' in listed.text
    assert "Nothing fits these filters." in (await admin.get("/numbers?state=released")).text


async def test_given_a_step_that_is_none_any_more_when_sent_then_the_page_says_why(
    here: World, admin: Browser
) -> None:
    await _number(here, state="ordered")
    form = await admin.get(PLACE)
    csrf = re.search(r'name="csrf" value="([^"]+)"', form.text)
    assert csrf
    late = await admin.post(f"{PLACE}/resume", {"csrf": csrf[1]})
    assert late.status == 409
    assert "The number is ordered; this is for numbers that are suspended" in late.text
    assert await _state(here) == "ordered"


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("12345", "must be + and 3 to 30 digits, such as +8657126880001"),
        ("+86057126880001", "must be E.164 without a leading 0 in the area code"),
    ],
)
async def test_given_a_wrong_number_when_ordered_then_that_is_said_beside_it(
    admin: Browser, typed: str, fault: str
) -> None:
    refused = await admin.fill("/numbers/new", "/numbers/new", {"account_id": ALPHA, "number": typed})
    assert refused.status == 422
    assert f'id="field-number-fault">{fault}<' in refused.text
    assert f'value="{typed}"' in refused.text


async def test_given_a_number_when_released_then_it_must_be_typed_and_nothing_is_left(
    here: World, admin: Browser
) -> None:
    await _number(here)
    page = f"{PLACE}/release"
    shown = await admin.get(page)
    assert "this can&#39;t be undone" in shown.text
    assert "is not paid back" in shown.text
    refused = await admin.fill(page, page, {"again": "+8657126880002"})
    assert refused.status == 422
    assert 'id="field-again-fault"' in refused.text
    assert await _state(here) == "active"
    done = await admin.fill(page, page, {"again": f" {NUMBER} "})
    assert (done.status, done.place) == (303, "/console/numbers")
    assert await _state(here) == "released"
    gone = await admin.get(PLACE)
    assert "/release" not in gone.text


async def test_given_a_number_in_use_when_released_then_the_page_names_what_uses_it(
    here: World, admin: Browser
) -> None:
    await _number(here)
    key = await here.write(SPECIMENS["app_key"])
    bound = await admin.fill(PLACE, f"{PLACE}/bind", {"app_key": key})
    assert bound.status == 303
    refused = await admin.fill(f"{PLACE}/release", f"{PLACE}/release", {"again": NUMBER})
    assert refused.status == 409
    assert f"application {key}" in refused.text
    assert await _state(here) == "active"


async def test_given_applications_when_a_number_is_bound_then_one_alone_has_it(
    here: World, admin: Browser
) -> None:
    await _number(here)
    first, second = await here.write(SPECIMENS["app_key"]), await here.write(SPECIMENS["app_key"])
    assert (await admin.fill(PLACE, f"{PLACE}/bind", {"app_key": first})).status == 303
    taken = await admin.fill(PLACE, f"{PLACE}/bind", {"app_key": second})
    assert taken.status == 422
    assert 'id="field-app_key-fault">does not fit: number' in taken.text
    assert (await here.read(lambda session: session.get_one(App, second))).bind_number is None


async def test_given_an_edit_when_some_applications_are_chosen_then_they_alone_may_show_it(
    here: World, admin: Browser
) -> None:
    await _number(here, max_calls=7)
    await here.write(SPECIMENS["app_key"])
    key = await here.write(SPECIMENS["app_key"])
    page = f"{PLACE}/edit"
    form = await admin.get(page)
    assert 'value="*" checked' in form.text
    assert (await admin.fill(page, page, {"app_keys": [key]})).status == 303
    row = await here.read(lambda session: session.get_one(Number, NUMBER))
    assert (row.app_keys, row.max_calls) == ([key], 7)
    assert (await admin.fill(page, page, {"app_keys": None, "max_calls": ""})).status == 303
    row = await here.read(lambda session: session.get_one(Number, NUMBER))
    assert (row.app_keys, row.max_calls) == ([], None)
    assert (await admin.fill(page, page, {"app_keys": ["*", key]})).status == 303
    assert (await here.read(lambda session: session.get_one(Number, NUMBER))).app_keys is None


@pytest.mark.requirement("C1")
async def test_given_roles_when_a_number_is_shown_then_they_are_offered_what_they_may(here: World) -> None:
    await _number(here)
    viewer = await browser(here, Role.VIEWER, ALPHA)
    seen = await viewer.get(PLACE)
    assert seen.status == 200
    assert '<button class="danger"' not in seen.text
    for step in ("/edit", "/release", "/suspend"):
        assert PLACE + step not in seen.text
    own = await (await browser(here, Role.OPERATOR, ALPHA)).get(PLACE)
    assert PLACE + "/release" in own.text
    assert PLACE + "/suspend" not in own.text
    foreign = await browser(here, Role.ADMINISTRATOR, BETA)
    for path in ("", "/edit", "/release"):
        assert (await foreign.get(PLACE + path)).status == 404
    page = await foreign.get("/numbers")
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert csrf
    stolen = await foreign.post(f"{PLACE}/release", {"csrf": csrf[1], "again": NUMBER})
    assert stolen.status == 404
    assert await _state(here) == "active"

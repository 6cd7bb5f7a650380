"""Accounts, contacts, users and tokens in the browser."""

import re

import pytest
from service.console.conftest import Browser, Shown, browser
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, BETA, World, user_id
from sqlmodel import col, select

from controller.management.roles import Role
from controller.store.management_tables import ApiToken, LoginSession, User
from controller.store.tables import Account, Contact

HOSTILE = "<script>alert(1)</script> 100%"


def _faults(shown: Shown) -> dict[str, str]:
    return dict(re.findall(r'id="field-([\w-]+)-fault">([^<]+)<', shown.text))


@pytest.mark.requirement("C1")
async def test_given_an_account_with_rules_when_created_and_changed_then_only_that_is_changed(
    here: World, admin: Browser
) -> None:
    made = await admin.fill(
        "/accounts/new",
        "/accounts/new",
        {
            "id": "acme",
            "name": HOSTILE,
            "max_apps": "7",
            "rules.callee_blacklist": "+8613900001111\n+86138XXXXXXXX",
            "rules.hours": "08:00-21:00",
            "rules.daily_cap": "12.50",
        },
    )
    assert (made.status, made.place) == (303, "/console/accounts/acme")
    page = "/accounts/acme/edit"
    shown = await admin.get("/accounts/acme")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 100%" in shown.text
    assert "<script>alert" not in shown.text
    assert "12.5" in shown.text
    done = await admin.fill(page, page, {"rules.number_classes": ["low"], "max_calls": "30"})
    assert done.status == 303
    row = await here.read(lambda session: session.get_one(Account, "acme"))
    assert (row.max_apps, row.max_calls, row.active) == (7, 30, True)
    assert row.rules["number_classes"] == ["low"]
    assert row.rules["callee_blacklist"] == ["+8613900001111", "+86138XXXXXXXX"]
    assert row.rules["hours"] == ["08:00-21:00"]


async def test_given_rules_that_are_wrong_when_sent_then_each_fault_names_its_line(admin: Browser) -> None:
    refused = await admin.fill(
        "/accounts/new",
        "/accounts/new",
        {
            "id": "a c",
            "max_calls": "-1",
            "rules.callee_blacklist": "+86.\n8613",
            "rules.hours": "8-9",
            "rules.hours_zone": "Mars/Olympus",
            "rules.callee_windows": "3/24h\nmany",
            "rules.daily_cap": "much",
        },
    )
    assert refused.status == 422
    faults = _faults(refused)
    assert faults["id"] == "must be 1 to 32 letters, digits, _ and -"
    assert faults["max_calls"] == "must be at least 0"
    assert faults["rules-callee_blacklist"].startswith("Line 2: number pattern &#39;8613&#39;: it must begin")
    assert "is not a span of hours" in faults["rules-hours"]
    assert "is not a time zone" in faults["rules-hours_zone"]
    assert faults["rules-callee_windows"].startswith("Line 2: &#39;many&#39;")
    assert "as in 0.18" in faults["rules-daily_cap"]
    assert "+86.\n8613</textarea>" in refused.text


async def test_given_a_taken_id_when_an_account_is_created_then_that_is_said(admin: Browser) -> None:
    refused = await admin.fill("/accounts/new", "/accounts/new", {"id": ALPHA})
    assert refused.status == 409
    assert f"There is an account {ALPHA} already" in refused.text
    assert f'value="{ALPHA}"' in refused.text


@pytest.mark.requirement("C1")
async def test_given_an_accounts_own_users_when_accounts_are_opened_then_they_see_their_own(
    here: World,
) -> None:
    own = await browser(here, Role.ADMINISTRATOR, ALPHA)
    listed = await own.get("/accounts")
    assert f'data-open="/console/accounts/{ALPHA}"' in listed.text
    assert BETA not in listed.text
    assert "/accounts/new" not in listed.text
    assert f"/accounts/{ALPHA}/edit" not in (await own.get(f"/accounts/{ALPHA}")).text
    assert (await own.get(f"/accounts/{BETA}")).status == 404
    assert (await own.get(f"/accounts/{ALPHA}/edit")).status == 403


@pytest.mark.requirement("C7")
async def test_given_a_contact_when_created_changed_and_removed_then_the_account_has_it_or_not(
    here: World,
) -> None:
    own = await browser(here, Role.ADMINISTRATOR, ALPHA)
    refused = await own.fill("/contacts/new", "/contacts/new", {"name": HOSTILE})
    assert refused.status == 422
    assert "a contact needs email or webhook_url" in refused.text
    assert "&lt;script&gt;" in refused.text
    wrong = await own.fill(
        "/contacts/new",
        "/contacts/new",
        {"email": "nobody", "webhook_url": "https://[", "webhook_secret": "x"},
    )
    assert _faults(wrong) == {
        "email": "must be a mail address such as li.wei@example.com",
        "webhook_url": "not an http or https address",
        "webhook_secret": "must begin with whsec_",
    }
    made = await own.fill("/contacts/new", "/contacts/new", {"name": HOSTILE, "email": "li@example.com"})
    assert made.status == 303
    place = made.place.removeprefix("/console")
    assert "<script>alert" not in (await own.get(place)).text
    changed = await own.fill(f"{place}/edit", f"{place}/edit", {"email": "wang@example.com"})
    assert changed.status == 303
    row = await here.read(lambda session: session.get_one(Contact, place.rsplit("/", 1)[1]))
    assert (row.email, row.name) == ("wang@example.com", HOSTILE)
    assert (await (await browser(here, Role.VIEWER, BETA)).get(place)).status == 404
    gone = await own.fill(place, f"{place}/delete", {})
    assert (gone.status, gone.place) == (303, "/console/contacts")
    assert (await own.get(place)).status == 404


@pytest.mark.requirement("C1")
async def test_given_a_new_user_when_created_then_the_password_shown_is_the_one_that_logs_in(
    here: World, admin: Browser
) -> None:
    form = await admin.get("/users/new")
    suggested = re.search(r'name="password"[^>]*value="([^"]+)"', form.text)
    assert suggested
    assert len(suggested[1]) >= 12
    made = await admin.fill("/users/new", "/users/new", {"account_id": ALPHA, "login": "li.wei"})
    assert made.status == 200
    password = re.findall(r'data-copy="([^"]+)"', made.text)[1]
    visitor = Browser(here)
    entered = await visitor.fill("/login", "/login?then=/", {"login": "li.wei", "password": password})
    assert entered.status == 303
    refused = await admin.fill("/users/new", "/users/new", {"login": "li.wei"})
    assert refused.status == 409
    assert "The login li.wei is taken" in refused.text


@pytest.mark.requirement("C1")
async def test_given_a_user_when_deactivated_and_back_then_their_sessions_are_gone(
    here: World, admin: Browser
) -> None:
    victim = await browser(here, Role.VIEWER, ALPHA)
    place = f"/users/{user_id(Role.VIEWER, ALPHA)}"
    done = await admin.fill(place, f"{place}/active", {})
    assert done.status == 303
    assert (await victim.get("/applications")).status == 303
    row = await here.read(lambda session: session.get_one(User, user_id(Role.VIEWER, ALPHA)))
    assert not row.active
    back = await admin.fill(place, f"{place}/active", {})
    assert back.status == 303
    assert (await here.read(lambda session: session.get_one(User, row.id))).active


@pytest.mark.requirement("C1")
async def test_given_the_last_administrator_when_their_role_is_changed_then_it_is_refused_beside_the_form(
    here: World,
) -> None:
    own = await browser(here, Role.ADMINISTRATOR, ALPHA)
    page = f"/users/{user_id(Role.ADMINISTRATOR, ALPHA)}/edit"
    refused = await own.fill(page, page, {"role": "viewer"})
    assert refused.status == 409
    assert "There must be an active administrator" in refused.text
    assert '<option value="viewer" selected>' in refused.text


@pytest.mark.requirement("C1")
async def test_given_a_short_password_when_set_then_it_is_refused_and_a_good_one_ends_sessions(
    here: World, admin: Browser
) -> None:
    page = f"/users/{user_id(Role.VIEWER, ALPHA)}/password"
    refused = await admin.fill(page, page, {"password": "short"})
    assert _faults(refused) == {"password": "must have at least 12 character(s)"}
    await browser(here, Role.VIEWER, ALPHA)
    done = await admin.fill(page, page, {"password": "correct horse battery"})
    assert done.status == 200
    assert 'data-copy="correct horse battery"' in done.text
    mine = select(LoginSession).where(col(LoginSession.user_id) == user_id(Role.VIEWER, ALPHA))
    left = await here.read(lambda session: len(session.exec(mine).all()))
    assert left == 0


@pytest.mark.requirement("C1")
async def test_given_others_than_administrators_when_users_are_opened_then_they_are_told_that_they_may_not(
    here: World,
) -> None:
    operator = await browser(here, Role.OPERATOR, ALPHA)
    assert (await operator.get("/users")).status == 403
    assert "/console/users" not in (await operator.get("/applications")).text
    own = await browser(here, Role.ADMINISTRATOR, ALPHA)
    listed = await own.get("/users")
    assert "viewer@alpha" in listed.text
    assert "viewer@beta" not in listed.text
    assert "viewer@operator" not in listed.text
    foreign = f"/users/{user_id(Role.VIEWER, BETA)}"
    for path in ("", "/edit", "/password"):
        assert (await own.get(foreign + path)).status == 404


@pytest.mark.requirement("C1")
async def test_given_a_token_when_made_then_it_is_shown_once_works_and_is_revoked(here: World) -> None:
    own = await browser(here, Role.DEVELOPER, ALPHA)
    form = await own.get("/tokens/new")
    assert 'value="administrator"' not in form.text
    refused = await own.fill("/tokens/new", "/tokens/new", {"name": "", "days": "9999"})
    assert set(_faults(refused)) == {"name", "days"}
    above = await own.fill("/tokens/new", "/tokens/new", {"name": "x", "role": "operator"})
    assert _faults(above) == {"role": "must not be above your own, developer"}
    made = await own.fill("/tokens/new", "/tokens/new", {"name": HOSTILE, "role": "viewer"})
    token = re.search(r'data-copy="(vct_[^"]+)"', made.text)
    assert token
    headers = {"Authorization": f"Bearer {token[1]}"}
    assert (await here.ask("GET", "/me", role=None, headers=headers)).status == 200
    listed = await own.get("/tokens")
    assert token[1] not in listed.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 100%" in listed.text
    named = select(ApiToken).where(col(ApiToken.name) == HOSTILE)
    found = await here.read(lambda session: session.exec(named).one().id)
    gone = await own.fill("/tokens", f"/tokens/{found}/revoke", {})
    assert gone.status == 303
    assert (await here.ask("GET", "/me", role=None, headers=headers)).status == 401


@pytest.mark.requirement("C1")
async def test_given_somebody_elses_token_when_revoked_then_there_is_none(
    here: World, admin: Browser
) -> None:
    token_id = await here.write(SPECIMENS["token_id"])
    page = await admin.get("/tokens")
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert csrf
    assert (await admin.post(f"/tokens/{token_id}/revoke", {"csrf": csrf[1]})).status == 404
    assert await here.read(lambda session: session.get(ApiToken, token_id))

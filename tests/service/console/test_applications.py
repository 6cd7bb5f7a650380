"""Applications in the browser."""

import re

import pytest
from service.console.conftest import Browser, browser
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, BETA, World

from controller.management.roles import Role
from controller.store.tables import App, Number

pytestmark = pytest.mark.requirement("C3")

HOSTILE = "<script>alert(1)</script> 100% {{ 7 * 7 }}"


async def _app(here: World, **values: object) -> str:
    key: str = await here.write(SPECIMENS["app_key"])

    def change(session: object) -> None:
        row = session.get_one(App, key)  # type: ignore[attr-defined]
        for name, value in values.items():
            setattr(row, name, value)

    await here.write(change)
    return key


async def test_given_no_application_when_listed_then_the_page_says_what_to_do_next(admin: Browser) -> None:
    shown = await admin.get("/applications")
    assert 'href="/console/applications/new"' in shown.text
    assert "curl -sS -X POST http://127.0.0.1:" in shown.text


async def test_given_the_form_when_sent_then_the_secret_is_shown_once(here: World, admin: Browser) -> None:
    made = await admin.fill(
        "/applications/new",
        "/applications/new",
        {"account_id": ALPHA, "name": "Alarms", "service": "callback", "ip_whitelist": "192.0.2.0/24\n"},
    )
    assert made.status == 200
    secret = re.search(r'data-copy="([\w-]{43})"', made.text)
    key = re.search(r'data-copy="([0-9a-f]{32})"', made.text)
    assert secret
    assert key
    page = await admin.get(f"/applications/{key[1]}")
    assert "Alarms" in page.text
    assert "192.0.2.0/24" in page.text
    assert secret[1] not in page.text
    listed = await admin.get(f"/applications?account_id={ALPHA}&service=callback")
    assert f'data-open="/console/applications/{key[1]}"' in listed.text
    other = await admin.get(f"/applications?account_id={BETA}")
    assert key[1] not in other.text
    row = await here.read(lambda session: session.get_one(App, key[1]))
    assert (row.secret, row.service, row.account_id) == (secret[1], "callback", ALPHA)


async def test_given_a_form_that_is_sent_twice_when_answered_then_there_is_one_application(
    here: World, admin: Browser
) -> None:
    page = await admin.get("/applications/new")
    key = re.search(r'name="key" value="(\w+)"', page.text)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert key
    assert csrf
    sent = {"csrf": csrf[1], "key": key[1], "account_id": ALPHA, "name": "Twice", "service": "callback"}
    sent |= {"push_profile": "compat", "max_calls": "10"}
    first, second = await admin.post("/applications/new", sent), await admin.post("/applications/new", sent)
    assert (first.status, second.status) == (200, 200)
    assert re.findall(r'data-copy="([^"]+)"', first.text) == re.findall(r'data-copy="([^"]+)"', second.text)
    assert (await admin.get("/applications")).text.count("data-open=") == 1


async def test_given_faults_when_sent_then_each_stands_beside_its_field_and_what_was_typed_is_kept(
    admin: Browser,
) -> None:
    refused = await admin.fill(
        "/applications/new",
        "/applications/new",
        {
            "account_id": ALPHA,
            "name": HOSTILE,
            "status_url": "ftp://acme.example",
            "max_calls": "many",
            "ip_whitelist": "192.0.2.1\nnowhere",
        },
    )
    assert refused.status == 422
    faults = dict(re.findall(r'id="field-([\w-]+)-fault">([^<]+)<', refused.text))
    assert faults == {
        "status_url": "not an http or https address",
        "max_calls": "must be an integer",
        "ip_whitelist": "Line 2: must be an address or a network such as 192.0.2.0/24",
    }
    assert 'value="ftp://acme.example"' in refused.text
    assert 'value="many"' in refused.text
    assert "192.0.2.1\nnowhere</textarea>" in refused.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 100% {{ 7 * 7 }}" in refused.text


async def test_given_an_account_that_is_none_when_sent_then_that_is_said_at_the_field(admin: Browser) -> None:
    refused = await admin.fill(
        "/applications/new", "/applications/new", {"account_id": "nobody", "name": "Alarms"}
    )
    assert refused.status == 404
    assert 'id="field-account_id-fault">There is no such account.' in refused.text
    assert 'value="Alarms"' in refused.text


async def test_given_somebody_elses_change_when_a_form_is_sent_then_it_says_so_and_keeps_what_was_typed(
    here: World, admin: Browser
) -> None:
    key = await _app(here, name="Alarms")
    page = await admin.get(f"/applications/{key}/edit")
    version = re.search(r'name="version" value="([^"]+)"', page.text)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert version
    assert csrf
    first = await admin.fill(f"/applications/{key}/edit", f"/applications/{key}/edit", {"name": "Bells"})
    assert (first.status, first.place) == (303, f"/console/applications/{key}")
    stale = {"csrf": csrf[1], "version": version[1].replace("&#34;", '"'), "name": "Whistles"}
    late = await admin.post(
        f"/applications/{key}/edit", {**stale, "max_calls": "10", "push_profile": "compat"}
    )
    assert late.status == 412
    assert "Somebody else has changed this meanwhile" in late.text
    assert 'value="Whistles"' in late.text
    assert version[1] in late.text
    assert (await here.read(lambda session: session.get_one(App, key))).name == "Bells"


async def test_given_an_edit_when_sent_then_what_was_not_touched_stays_untouched(
    here: World, admin: Browser
) -> None:
    key = await _app(here, name="Alarms", login_user="old", login_password="password", recording=True)
    done = await admin.fill(f"/applications/{key}/edit", f"/applications/{key}/edit", {"active": None})
    assert done.status == 303
    row = await here.read(lambda session: session.get_one(App, key))
    assert (row.active, row.recording, row.login_user) == (False, True, "old")
    trail = await here.ask("GET", "/audit?action=edit_application")
    changed = trail.body["items"][0]
    assert {name for name, value in changed["after"].items() if value != changed["before"][name]} == {
        "active"
    }


async def test_given_a_renewal_when_the_name_is_not_typed_then_nothing_is_renewed(
    here: World, admin: Browser
) -> None:
    key = await _app(here, name="Alarms", secret="the secret until now")
    page = f"/applications/{key}/secret"
    refused = await admin.fill(page, page, {"again": "Alarm", "grace_hours": "3"})
    assert refused.status == 422
    assert 'id="field-again-fault">This is not what must be typed here.' in refused.text
    assert 'name="grace_hours" required' in refused.text
    assert 'value="3"' in refused.text
    assert (await here.read(lambda session: session.get_one(App, key))).secret == "the secret until now"
    done = await admin.fill(page, page, {"again": "Alarms", "grace_hours": "3"})
    assert done.status == 200
    assert "2026-11-24 11:00 UTC" in done.text
    row = await here.read(lambda session: session.get_one(App, key))
    assert row.secret in done.text
    assert row.previous_secret == "the secret until now"
    assert "The old secret is taken until" in (await admin.get(f"/applications/{key}")).text


async def test_given_webhook_secrets_when_renewed_and_removed_then_the_page_follows(
    here: World, admin: Browser
) -> None:
    key = await _app(here)
    place = f"/applications/{key}"
    made = await admin.fill(place, place + "/webhook-secret", {})
    assert made.status == 200
    assert "whsec_" in made.text
    assert "with 1 secret(s)" in (await admin.get(place)).text
    gone = await admin.fill(place, place + "/webhook-secret/remove", {})
    assert gone.status == 303
    assert not (await here.read(lambda session: session.get_one(App, key))).webhook_secrets


async def test_given_a_login_for_old_programs_when_set_wrong_and_right_then_it_is_there_or_not(
    here: World, admin: Browser
) -> None:
    key = await _app(here)
    place = f"/applications/{key}"
    short = await admin.fill(place, place + "/login", {"login.user": "acme", "login.password": "short"})
    assert short.status == 422
    assert 'id="field-login-password-fault">must have at least 8 characters' in short.text
    assert 'value="acme"' in short.text
    assert "short" not in re.findall(r'value="([^"]*)"', short.text)
    set_ = await admin.fill(place, place + "/login", {"login.user": "acme", "login.password": "long enough"})
    assert set_.status == 303
    removed = await admin.fill(place, place + "/login/remove", {})
    assert removed.status == 303
    assert (await here.read(lambda session: session.get_one(App, key))).login_user is None


async def test_given_the_accounts_numbers_when_an_application_is_shown_then_those_it_may_show_are_there(
    here: World, admin: Browser
) -> None:
    key = await _app(here)

    def add(session: object) -> None:
        session.add(Number(number="+8657126880001", account_id=ALPHA))  # type: ignore[attr-defined]
        session.add(Number(number="+8657126880002", account_id=ALPHA, app_keys=[]))  # type: ignore[attr-defined]
        session.add(Number(number="+8657126880003", account_id=BETA))  # type: ignore[attr-defined]

    await here.write(add)
    shown = await admin.get(f"/applications/{key}")
    assert re.findall(r"/console/numbers/%2B(\d+)", shown.text) == ["8657126880001"]
    bound = await admin.fill(
        f"/applications/{key}/edit", f"/applications/{key}/edit", {"bind_number": "+8657126880001"}
    )
    assert bound.status == 303
    assert (await here.read(lambda session: session.get_one(App, key))).bind_number == "+8657126880001"


@pytest.mark.requirement("C1")
async def test_given_roles_when_pages_are_opened_then_they_offer_what_the_role_may(here: World) -> None:
    key = await _app(here, name=HOSTILE)
    viewer, developer = await browser(here, Role.VIEWER, ALPHA), await browser(here, Role.DEVELOPER, ALPHA)
    seen = await viewer.get(f"/applications/{key}")
    assert seen.status == 200
    assert f"/applications/{key}/edit" not in seen.text
    assert "<script>alert" not in seen.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; 100% {{ 7 * 7 }}" in seen.text
    assert (await viewer.get(f"/applications/{key}/edit")).status == 403
    assert (await viewer.get("/applications/new")).status == 403
    form = await developer.get(f"/applications/{key}/edit")
    assert 'name="recording"' in form.text
    assert 'name="max_calls"' not in form.text
    assert 'name="account_id"' not in (await developer.get("/applications/new")).text
    made = await developer.fill("/applications/new", "/applications/new", {"name": "Mine"})
    assert made.status == 200
    foreign = await browser(here, Role.ADMINISTRATOR, BETA)
    for path in ("", "/edit", "/secret"):
        assert (await foreign.get(f"/applications/{key}{path}")).status == 404
    assert key not in (await foreign.get("/applications")).text


async def test_given_a_wrong_filter_when_listed_then_that_is_said_beside_it(admin: Browser) -> None:
    shown = await admin.get("/applications?service=nothing&account_id=nobody")
    assert shown.status == 422
    assert 'id="field-service-fault"' in shown.text
    missing = await admin.get("/applications?account_id=nobody")
    assert 'id="field-account_id-fault">There is no such account.' in missing.text


async def test_given_more_than_a_page_when_listed_then_the_next_page_keeps_the_filters(
    here: World, admin: Browser
) -> None:
    def many(session: object) -> None:
        for count in range(60):
            row = App(key=f"app{count:03}", account_id=ALPHA, service="callback", secret="s" * 8)
            session.add(row)  # type: ignore[attr-defined]

    await here.write(many)
    first = await admin.get("/applications?service=callback")
    assert first.text.count("data-open=") == 50
    following = re.search(r'href="(\?[^"]+)" rel="next"', first.text)
    assert following
    assert "service=callback" in following[1]
    second = await admin.get("/applications" + following[1].replace("&amp;", "&"))
    assert second.text.count("data-open=") == 10
    assert 'data-open="/console/applications/app059"' in second.text

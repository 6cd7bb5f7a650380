"""Trunks, routes, nodes and the audit trail in the browser."""

import re

import pytest
from service.console.conftest import Browser, Shown, browser
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, World
from sqlalchemy import text

from controller.console.pages.audit import differences
from controller.management.roles import Role
from controller.store.tables import Route, Trunk


def _faults(shown: Shown) -> dict[str, str]:
    return dict(re.findall(r'id="field-([\w-]+)-fault">([^<]+)<', shown.text))


async def _trunk(here: World) -> Trunk:
    return await here.read(lambda session: session.get_one(Trunk, "carrier-a"))  # type: ignore[no-any-return]


@pytest.mark.requirement("E1")
async def test_given_a_trunk_when_created_changed_and_used_then_it_is_deleted_when_nothing_uses_it(
    here: World, admin: Browser
) -> None:
    made = await admin.fill(
        "/trunks/new",
        "/trunks/new",
        {"name": "carrier-a", "host": "sip.carrier.example", "user": "acme", "password": "of-a-carrier"},
    )
    assert (made.status, made.place) == (303, "/console/trunks/carrier-a")
    place = "/trunks/carrier-a"
    kept = await admin.fill(f"{place}/edit", f"{place}/edit", {"port": "5070", "registers": "on"})
    assert kept.status == 303
    row = await _trunk(here)
    assert (row.port, row.register_, row.password) == (5070, True, "of-a-carrier")
    assert "of-a-carrier" not in (await admin.get(f"{place}/edit")).text
    used = await admin.fill("/routes/new", "/routes/new", {"prefix": "+86", "trunks": "carrier-a"})
    assert used.status == 303
    shown = await admin.get(place)
    assert 'href="/console/routes/%2B86"' in shown.text
    assert f"{place}/delete" not in shown.text
    csrf = re.search(r'name="csrf" value="([^"]+)"', shown.text)
    assert csrf
    refused = await admin.post(f"{place}/delete", {"csrf": csrf[1]})
    assert refused.status == 409
    assert "Routes use the trunk carrier-a" in refused.text
    assert "route +86" in refused.text
    assert (await admin.fill("/routes/%2B86", "/routes/%2B86/delete", {})).status == 303
    gone = await admin.fill(place, f"{place}/delete", {})
    assert (gone.status, gone.place) == (303, "/console/trunks")
    assert (await admin.get(place)).status == 404


@pytest.mark.requirement("E1")
async def test_given_a_trunk_when_its_user_is_taken_away_then_the_password_goes_too(
    here: World, admin: Browser
) -> None:
    await here.write(
        lambda session: session.add(
            Trunk(name="carrier-a", host="192.0.2.7", user="acme", password="of-a-carrier")
        )
    )
    done = await admin.fill("/trunks/carrier-a/edit", "/trunks/carrier-a/edit", {"user": ""})
    assert done.status == 303
    row = await _trunk(here)
    assert (row.user, row.password) == (None, None)


@pytest.mark.requirement("E1")
async def test_given_a_trunk_that_sip_cant_carry_when_sent_then_the_fault_is_at_its_field(
    admin: Browser,
) -> None:
    wrong = await admin.fill("/trunks/new", "/trunks/new", {"name": "Carrier A", "host": "x", "port": "0"})
    assert _faults(wrong) == {
        "name": "must be 1 to 31 lower-case letters, digits and -",
        "port": "must be at least 1",
    }
    injected = await admin.fill("/trunks/new", "/trunks/new", {"name": "a", "host": "x]\nqualify=no"})
    assert "is not a host" in _faults(injected)["host"]
    bare = await admin.fill("/trunks/new", "/trunks/new", {"name": "a", "host": "x", "registers": "on"})
    assert "registration needs a user and a password" in _faults(bare)["registers"]
    assert 'name="registers" checked' in bare.text


@pytest.mark.requirement("E1")
async def test_given_a_route_when_wrong_changed_or_changed_meanwhile_then_the_form_says_so(
    here: World, admin: Browser
) -> None:
    neither = await admin.fill("/routes/new", "/routes/new", {"prefix": "+86"})
    assert "give trunks or a contact" in _faults(neither)["trunks"]
    unknown = await admin.fill("/routes/new", "/routes/new", {"prefix": "+86", "trunks": "nobody"})
    assert _faults(unknown) == {"trunks": "there is no trunk nobody"}
    prefix: str = await here.write(SPECIMENS["prefix"])
    place = f"/routes/{prefix.replace('+', '%2B')}"
    page = await admin.get(place)
    version = re.search(r'name="version" value="([^"]+)"', page.text)
    csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert version
    assert csrf
    contact = "sip:{number}@127.0.0.1:5072"
    assert (await admin.fill(place, place, {"contact": contact})).status == 303
    stale = {"csrf": csrf[1], "version": version[1].replace("&#34;", '"'), "contact": "sip:x@y"}
    late = await admin.post(place, stale)
    assert late.status == 412
    assert 'value="sip:x@y"' in late.text
    assert (await here.read(lambda session: session.get_one(Route, prefix))).contact == contact


@pytest.mark.requirement("E1")
async def test_given_an_accounts_own_people_when_the_operators_pages_are_opened_then_they_may_not(
    here: World,
) -> None:
    name = await here.write(SPECIMENS["trunk_name"])
    own = await browser(here, Role.ADMINISTRATOR, ALPHA)
    for path in ("/trunks", f"/trunks/{name}", "/trunks/new", "/routes/new", "/nodes", "/audit/verification"):
        assert (await own.get(path)).status == 403, path
    viewer = await browser(here, Role.VIEWER)
    seen = await viewer.get(f"/trunks/{name}")
    assert seen.status == 200
    assert "/edit" not in seen.text
    assert (await viewer.get(f"/trunks/{name}/edit")).status == 403


@pytest.mark.requirement("E3")
async def test_given_an_asterisk_that_is_away_when_nodes_are_shown_then_the_page_says_so_and_asks_again(
    admin: Browser,
) -> None:
    shown = await admin.get("/nodes")
    assert "can't be reached" in shown.text
    assert "voicecall doctor" in shown.text
    assert 'hx-trigger="every 5s"' in shown.text
    part = await admin.get("/nodes", HX_Request="true")
    assert part.status == 200
    assert "<html" not in part.text


@pytest.mark.requirement("C1")
async def test_given_changes_when_the_audit_trail_is_read_then_it_shows_what_was_and_is(
    here: World, admin: Browser
) -> None:
    hostile = "<script>alert(1)</script>"
    await here.ask("POST", "/accounts", {"id": "acme", "name": hostile, "max_calls": 5})
    changed = await here.ask("PATCH", "/accounts/acme", {"max_calls": 9}, headers={"If-Match": "*"})
    assert changed.status == 200
    shown = await admin.get("/audit?action=edit_account&target=acme")
    assert "<del><code>5</code></del>" in shown.text
    assert "<ins><code>9</code></ins>" in shown.text
    assert shown.text.count("<del>") == 1
    made = await admin.get("/audit?action=create_account")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in made.text
    assert hostile not in made.text
    later = await admin.get("/audit?since=2026-11-24T08:00:01")
    assert "Nothing fits these filters." in later.text
    wrong = await admin.get("/audit?since=yesterday")
    assert "since" in _faults(wrong)


@pytest.mark.requirement("C1")
async def test_given_an_audit_trail_when_verified_then_the_page_says_whether_it_is_whole(
    here: World, admin: Browser
) -> None:
    await here.ask("POST", "/accounts", {"id": "acme"})
    assert "nothing was changed, moved or removed" in (await admin.get("/audit/verification")).text

    def tamper(session: object) -> None:
        session.execute(text("DROP TRIGGER audit_entry_no_update"))  # type: ignore[attr-defined]
        session.execute(text("UPDATE audit_entry SET login = 'somebody else'"))  # type: ignore[attr-defined]

    await here.write(tamper)
    assert "was tampered with" in (await admin.get("/audit/verification")).text


def test_given_two_states_when_compared_then_what_differs_is_told_field_by_field() -> None:
    found = differences(
        {"name": "a", "rules": {"hours": [], "cap": "5"}, "gone": 1},
        {"name": "a", "rules": {"hours": ["08:00-21:00"], "cap": "5"}, "new": None},
    )
    assert [(one.field, one.before, one.after) for one in found] == [
        ("rules.hours", "[]", '["08:00-21:00"]'),
        ("gone", "1", None),
    ]

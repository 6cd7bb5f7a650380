"""Applications: the rules of C3, and that what is changed is in force for calls."""

from datetime import timedelta
from typing import Any

import pytest
from service.management.world import ALPHA, BETA, Reply, World, world
from sqlmodel import Session

from controller.accounts.directory import Application
from controller.management.roles import Role
from controller.settings import ManagementSettings
from controller.store.tables import App, Number

pytestmark = pytest.mark.requirement("C3")

NEW = {"name": "Alarms", "service": "notification"}
OWN = "+8657126880001"


async def create(world: World, of: str = ALPHA, **more: Any) -> Reply:
    return await world.ask("POST", "/applications", {**NEW, **more}, of=of)


async def created(world: World, **more: Any) -> dict[str, Any]:
    reply = await create(world, **more)
    assert reply.status == 201, reply.text
    return dict(reply.body)


async def edit(world: World, app_key: str, body: Any, **who: Any) -> Reply:
    headers = {"If-Match": "*"}
    return await world.ask("PATCH", f"/applications/{app_key}", body, headers=headers, **who)


def in_force(world: World, app_key: str) -> Application:
    return world.services.directory.now.application(app_key)


def secrets(world: World, app_key: str) -> tuple[str, ...]:
    """What requests of the app may be proven with now."""
    return in_force(world, app_key).secrets(world.clock.now())


async def add_number(world: World, number: str = OWN, account: str = ALPHA) -> None:
    await world.write(lambda session: session.add(Number(number=number, account_id=account)))


async def test_C3_given_an_account_when_it_creates_an_application_then_it_is_in_force_with_a_secret(
    here: World,
) -> None:
    made = await created(
        here, recording=True, ip_whitelist=["192.0.2.0/24"], status_url="https://a.example/s"
    )

    app = in_force(here, made["app_key"])
    assert secrets(here, made["app_key"]) == (made["app_secret"],)
    assert len(made["app_secret"]) >= 32
    assert (app.account_id, app.service, app.recording, app.max_calls) == (ALPHA, "notification", True, 10)
    assert [str(network) for network in app.ip_whitelist] == ["192.0.2.0/24"]
    assert app.status_url == "https://a.example/s"


async def test_C3_given_an_application_when_read_listed_or_audited_then_its_secrets_are_nowhere(
    here: World,
) -> None:
    made = await created(here, login={"user": "old program", "password": "raw password+"})
    hook = await here.ask("POST", f"/applications/{made['app_key']}/webhook-secret")

    one = await here.ask("GET", f"/applications/{made['app_key']}")
    listed = await here.ask("GET", "/applications")
    audited = await here.ask("GET", "/audit")

    assert listed.body["items"] == [one.body]
    assert (one.body["login_user"], one.body["webhook_keys"]) == ("old program", 1)
    for secret in (made["app_secret"], "raw password+", hook.body["webhook_secret"]):
        assert secret not in one.text + listed.text + audited.text


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"service": "fax"}, "service"),
        ({"name": ""}, "name"),
        ({"key": "mine"}, "key"),
        ({"status_url": "ftp://a.example"}, "status_url"),
        ({"ip_whitelist": ["192.0.2.1/24"]}, "ip_whitelist.0"),
        ({"login": {"user": "x", "password": "short"}}, "login.password"),
        ({"bind_number": "0571"}, "bind_number"),
        ({"bind_number": OWN}, "bind_number"),
        ({"max_calls": -1}, "max_calls"),
        ({"push_profile": "often"}, "push_profile"),
    ],
)
async def test_C3_given_a_fault_when_an_application_is_created_then_422_names_it_and_there_is_none(
    here: World, body: dict[str, Any], field: str
) -> None:
    reply = await create(here, **body)

    assert reply.status == 422, reply.text
    assert reply.fields == [field]
    assert (await here.ask("GET", "/applications")).body["items"] == []


async def test_C3_given_5_applications_when_another_is_created_then_409_until_the_operator_allows_more(
    here: World,
) -> None:
    for _number in range(5):
        await created(here)
    await created(here, of=BETA)

    refused = await create(here)
    headers = {"If-Match": "*"}
    await here.ask("PATCH", f"/accounts/{ALPHA}", {"max_apps": 6}, headers=headers)
    allowed = await create(here)

    assert (refused.status, refused.slug) == (409, "conflict")
    assert "has 5 applications, and may have 5" in refused.body["detail"]
    assert allowed.status == 201
    assert (await create(here)).status == 409


async def test_C3_given_another_default_when_applications_are_created_then_it_holds(
    tmp_path: Any, template: Any
) -> None:
    async with world(tmp_path, template, management=ManagementSettings(max_apps=1)) as here:
        assert (await create(here)).status == 201
        assert (await create(here)).status == 409


async def test_C3_given_an_application_when_edited_then_what_was_left_out_stays_and_null_takes_away(
    here: World,
) -> None:
    made = await created(here, status_url="https://a.example/s", fee_url="https://a.example/f")
    await add_number(here)

    body = {
        "name": "Renamed",
        "fee_url": None,
        "quality_inspection": True,
        "push_profile": "durable",
        "bind_number": OWN,
        "calls_per_second": 7,
    }
    edited = await edit(here, made["app_key"], body)

    assert edited.status == 200, edited.text
    given = {name: value for name, value in made.items() if name != "app_secret"}
    assert edited.body == {**given, **body}
    app = in_force(here, made["app_key"])
    assert (app.fee_url, app.status_url, app.calls_per_second) == (None, "https://a.example/s", 7)
    assert secrets(here, made["app_key"]) == (made["app_secret"],)


async def test_C3_given_an_application_when_its_service_is_changed_or_it_is_deleted_then_it_stays(
    here: World,
) -> None:
    made = await created(here)

    changed = await edit(here, made["app_key"], {"service": "callback"})
    deleted = await here.ask("DELETE", f"/applications/{made['app_key']}")

    assert (changed.status, changed.fields) == (422, ["service"])
    assert deleted.status == 405
    assert in_force(here, made["app_key"]).service == "notification"


async def test_C3_given_an_application_when_switched_off_then_it_is_so_for_calls(here: World) -> None:
    made = await created(here)

    await edit(here, made["app_key"], {"active": False})

    assert not in_force(here, made["app_key"]).active
    assert (await here.ask("GET", "/applications?active=true")).body["items"] == []


async def test_C3_given_a_renewal_with_grace_when_its_time_comes_then_both_secrets_work_and_then_one(
    here: World,
) -> None:
    made = await created(here)

    renewed = await here.ask("POST", f"/applications/{made['app_key']}/secret", {"grace_hours": 24})

    new = renewed.body["app_secret"]
    assert renewed.status == 201
    assert renewed.body["previous_secret_until"] == "2026-11-25T08:00:00.000000Z"
    assert secrets(here, made["app_key"]) == (new, made["app_secret"])
    here.clock.time += timedelta(hours=24)
    assert secrets(here, made["app_key"]) == (new,)


async def test_C3_given_a_renewal_without_grace_when_done_then_the_old_secret_is_no_good_at_once(
    here: World,
) -> None:
    made = await created(here)
    await here.ask("POST", f"/applications/{made['app_key']}/secret", {"grace_hours": 24})

    renewed = await here.ask("POST", f"/applications/{made['app_key']}/secret", {})

    assert secrets(here, made["app_key"]) == (renewed.body["app_secret"],)


async def test_C3_given_webhook_secrets_when_renewed_twice_then_the_newest_two_sign_and_can_be_removed(
    here: World,
) -> None:
    path = f"/applications/{(await created(here))['app_key']}/webhook-secret"

    made = [(await here.ask("POST", path)).body["webhook_secret"] for _ in range(3)]
    kept = await here.read(lambda session: session.get_one(App, path.split("/")[2]).webhook_secrets)
    removed = await here.ask("DELETE", path)

    assert kept == [made[2], made[1]]
    assert removed.status == 204
    assert in_force(here, path.split("/")[2]).webhook_keys == ()


async def test_C3_given_a_developer_when_quotas_are_changed_then_403_as_they_are_for_operators(
    here: World,
) -> None:
    made = await created(here)
    who = {"role": Role.DEVELOPER, "of": ALPHA}

    refused = await edit(here, made["app_key"], {"max_calls": 500}, **who)
    creation = await here.ask("POST", "/applications", {**NEW, "calls_per_second": 9}, **who)
    other = await edit(here, made["app_key"], {"recording": True}, **who)
    operators = await edit(here, made["app_key"], {"max_calls": 500}, role=Role.OPERATOR, of=ALPHA)

    assert (refused.status, creation.status, other.status, operators.status) == (403, 403, 200, 200)
    assert in_force(here, made["app_key"]).max_calls == 500


async def test_C3_given_a_bind_number_that_is_anothers_when_set_then_422_and_nothing_is_changed(
    here: World,
) -> None:
    first, second = await created(here), await created(here)
    await add_number(here)
    await add_number(here, "+8657126880002", BETA)
    assert (await edit(here, first["app_key"], {"bind_number": OWN})).status == 200

    taken = await edit(here, second["app_key"], {"bind_number": OWN, "name": "Never"})
    foreign = await edit(here, second["app_key"], {"bind_number": "+8657126880002"})
    nobodys = await edit(here, second["app_key"], {"bind_number": "+8657126880003"})

    assert [reply.fields for reply in (taken, foreign, nobodys)] == [["bind_number"]] * 3
    assert foreign.body["detail"].replace("6880002", "6880003") == nobodys.body["detail"]

    def kept(session: Session) -> tuple[str, str | None]:
        row = session.get_one(App, second["app_key"])
        return row.name, row.bind_number

    assert await here.read(kept) == ("Alarms", None)

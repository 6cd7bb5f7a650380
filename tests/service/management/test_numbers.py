"""Numbers: ordered, allotted, suspended, resumed, released; who may show which."""

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from service.management.world import ALPHA, BETA, Clock, Reply, World
from sqlmodel import Session

from controller.accounts.errors import DisplayNumberNotAllotted
from controller.management.roles import Role
from controller.phone_number import PhoneNumber
from controller.store.directory import count_change
from controller.store.tables import App, Call, Service

pytestmark = pytest.mark.requirement("C4")

NUMBER, OTHER = "+8657126880001", "+8657126880002"


async def order(world: World, number: str = NUMBER, of: str = ALPHA, **more: Any) -> Reply:
    return await world.ask("POST", "/numbers", {"number": number, **more}, role=Role.OPERATOR, of=of)


async def move(world: World, step: str, number: str = NUMBER, **who: Any) -> Reply:
    return await world.ask("POST", f"/numbers/{number}/{step}", **who)


async def have(world: World, number: str, of: str = ALPHA) -> None:
    """Order and allot a number."""
    assert (await order(world, number, of)).status == 201
    assert (await move(world, "allot", number)).status == 200


async def add_app(world: World, key: str, bind_number: str | None = None, account: str = ALPHA) -> None:
    row = {"key": key, "account_id": account, "service": Service.NOTIFICATION, "secret": "12345678"}

    def add(session: Session) -> None:
        session.add(App(**row, bind_number=bind_number))
        count_change(session)

    await world.write(add)
    await world.services.directory.refresh()


async def restrict(world: World, number: str, *keys: str) -> Reply:
    return await world.ask(
        "PATCH", f"/numbers/{number}", {"app_keys": list(keys)}, headers={"If-Match": "*"}, of=ALPHA
    )


async def shown(world: World, key: str, asked: str = NUMBER) -> str | None:
    """What a call of the app shows that asks for a number; None: it is refused."""
    directory = world.services.directory.now
    try:
        return directory.number_to_show(directory.application(key), PhoneNumber(asked), Random(1)).e164
    except DisplayNumberNotAllotted:
        return None


async def test_C4_given_a_number_when_ordered_allotted_suspended_and_resumed_then_calls_show_it_in_between(
    here: World,
) -> None:
    await add_app(here, "app")
    seen = []

    for step in ("order", "allot", "suspend", "resume", "release"):
        reply = await (order(here) if step == "order" else move(here, step))
        assert reply.status in (200, 201), reply.text
        seen.append((reply.body["state"], await shown(here, "app")))

    assert seen == [
        ("ordered", None),
        ("active", NUMBER),
        ("suspended", None),
        ("active", NUMBER),
        ("released", None),
    ]


async def test_C4_given_a_suspended_number_when_a_call_asks_for_it_then_another_of_the_account_is_shown(
    here: World,
) -> None:
    await add_app(here, "app")
    await have(here, NUMBER)
    await have(here, OTHER)
    await have(here, "+8657126880003", BETA)

    await move(here, "suspend")

    assert await shown(here, "app") == OTHER


@pytest.mark.parametrize("step", ["allot", "suspend", "resume"])
async def test_C4_given_steps_of_the_operator_when_an_account_takes_them_then_403(
    here: World, step: str
) -> None:
    await order(here)

    assert (await move(here, step, of=ALPHA)).status == 403


@pytest.mark.parametrize("step", ["allot", "suspend", "resume", "release"])
async def test_C4_given_a_released_number_when_any_step_is_taken_then_409_as_it_is_for_good(
    here: World, step: str
) -> None:
    await have(here, NUMBER)
    assert (await move(here, "release", role=Role.OPERATOR, of=ALPHA)).body["state"] == "released"

    reply = await move(here, step)

    assert (reply.status, reply.slug) == (409, "conflict")
    assert "is released" in reply.body["detail"]


async def test_C4_given_a_number_of_an_account_when_another_orders_it_then_409_until_it_is_released(
    here: World,
) -> None:
    await have(here, NUMBER)
    await restrict(here, NUMBER)

    refused = await order(here, of=BETA)
    twice = await order(here)
    await move(here, "release")
    taken = await order(here, of=BETA)

    assert (refused.status, twice.status, taken.status) == (409, 409, 201)
    assert taken.body == {
        "number": NUMBER,
        "account_id": BETA,
        "state": "ordered",
        "max_calls": None,
        "app_keys": None,
    }
    assert (await here.ask("GET", f"/numbers/{NUMBER}", of=ALPHA)).status == 404


@pytest.mark.parametrize("number", ["8657126880001", "+8605712688", "+0571", "+99957126880001", "+86 571"])
async def test_C4_given_what_is_no_number_to_show_when_ordered_then_422(here: World, number: str) -> None:
    reply = await order(here, number)

    assert (reply.status, reply.fields) == (422, ["number"])


async def test_C4_given_a_number_for_some_apps_when_calls_ask_for_it_then_only_theirs_show_it(
    here: World,
) -> None:
    for key in ("one", "two"):
        await add_app(here, key)
    await have(here, NUMBER)
    await have(here, OTHER)

    reply = await restrict(here, NUMBER, "one")

    assert reply.body["app_keys"] == ["one"]
    assert (await shown(here, "one"), await shown(here, "two")) == (NUMBER, None)
    await move(here, "suspend", OTHER)
    assert (await shown(here, "one", OTHER), await shown(here, "two", OTHER)) == (NUMBER, None)


async def test_C4_given_apps_that_are_not_the_accounts_when_a_number_is_given_to_them_then_422(
    here: World,
) -> None:
    await add_app(here, "theirs", account=BETA)
    await have(here, NUMBER)

    foreign = await restrict(here, NUMBER, "theirs")
    nobodys = await restrict(here, NUMBER, "nobodys")

    assert foreign.fields == nobodys.fields == ["app_keys"]
    assert foreign.body["detail"].replace("theirs", "nobodys") == nobodys.body["detail"]
    assert (await here.ask("GET", f"/numbers/{NUMBER}")).body["app_keys"] is None


async def test_C4_given_a_bind_number_when_taken_from_its_app_then_it_is_refused_and_says_what_uses_it(
    here: World,
) -> None:
    await have(here, NUMBER)
    await add_app(here, "bound", NUMBER)
    await add_app(here, "other")

    restricted = await restrict(here, NUMBER, "other")
    released = await move(here, "release")

    assert restricted.status == 422
    assert (released.status, released.slug) == (409, "conflict")
    assert released.body["uses"] == [{"kind": "application", "id": "bound"}]
    assert await shown(here, "bound") == NUMBER


@pytest.mark.parametrize("column", ["display_number", "second_display_number"])
async def test_C4_given_a_live_call_that_shows_it_when_a_number_is_released_then_409_names_the_call(
    here: World, column: str
) -> None:
    await have(here, NUMBER)
    await have(here, OTHER)
    await add_app(here, "app")
    now = Clock().now()

    def add_call(session: Session) -> None:
        row: dict[str, Any] = {"display_number": OTHER, column: NUMBER}
        call = Call(
            id="call-1",
            session_id="session-1",
            account_id=ALPHA,
            app_key="app",
            service=Service.CALLBACK,
            controller="here",
            node="node",
            callee="+8613900001111",
            accepted_at=now,
            **row,
        )
        session.add(call)

    def end_call(session: Session) -> None:
        session.get_one(Call, "call-1").ended_at = now + timedelta(seconds=1)

    await here.write(add_call)
    refused = await move(here, "release")
    await here.write(end_call)
    done = await move(here, "release")

    assert refused.body["uses"] == [{"kind": "call", "id": "session-1"}]
    assert (refused.status, done.status) == (409, 200)


async def test_C4_given_numbers_in_several_states_when_listed_by_state_then_those_alone(here: World) -> None:
    await have(here, NUMBER)
    await order(here, OTHER)

    ordered = (await here.ask("GET", "/numbers?state=ordered")).body["items"]
    wrong = await here.ask("GET", "/numbers?state=lost")

    assert [item["number"] for item in ordered] == [OTHER]
    assert wrong.fields == ["state"]

"""Trunks and routes by the management API: the operator's alone, in force at once, kept while in use."""

from typing import Any

import pytest
from service.management.world import ALPHA, World

from controller.management.roles import Role
from controller.store.tables import Trunk

pytestmark = [pytest.mark.requirement("E1"), pytest.mark.requirement("C9")]

CARRIER: dict[str, Any] = {"name": "carrier-a", "host": "sip.carrier.example"}
LOGIN = {"user": "acme", "password": "p"}


async def test_E1_given_a_trunk_and_a_route_when_made_then_calls_go_over_it(here: World) -> None:
    trunk = await here.ask("POST", "/trunks", {**CARRIER, "user": "acme", "password": "p", "registers": True})
    route = await here.ask("POST", "/routes", {"prefix": "+86", "trunks": ["carrier-a"]})
    directory = here.services.directory.now

    assert (trunk.status, route.status) == (201, 201)
    assert [(its.name, its.password, its.register) for its in directory.trunks] == [("carrier-a", "p", True)]
    assert [(its.prefix, its.trunks) for its in directory.routes] == [("+86", ("carrier-a",))]


async def test_E1_given_a_trunks_password_when_anything_is_read_then_it_is_not_shown(here: World) -> None:
    made = await here.ask("POST", "/trunks", {**CARRIER, "user": "acme", "password": "trunk-secret"})
    read = await here.ask("GET", "/trunks/carrier-a")
    trail = await here.ask("GET", "/audit?kind=trunk")

    assert made.body["has_password"] is True
    for reply in (made, read, trail):
        assert "trunk-secret" not in reply.text


async def test_E1_given_a_trunk_when_edited_then_only_what_is_given_changes(here: World) -> None:
    await here.ask("POST", "/trunks", {**CARRIER, "user": "acme", "password": "p"})
    read = await here.ask("GET", "/trunks/carrier-a")

    edited = await here.ask("PATCH", "/trunks/carrier-a", {"host": "192.0.2.7"}, headers=read.etag)
    again = await here.ask("PATCH", "/trunks/carrier-a", {"host": "192.0.2.8"}, headers=read.etag)
    row = await here.read(lambda session: session.get(Trunk, "carrier-a"))

    assert (edited.status, again.status) == (200, 412)
    assert (row.host, row.user, row.password) == ("192.0.2.7", "acme", "p")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "A b"}, "name"),
        ({"host": "x;y"}, "host"),
        ({"host": "x\nmatch=0.0.0.0/0"}, "host"),
        ({"port": 0}, "port"),
        ({"user": "u\nx"}, "user"),
        ({"registers": True}, "registers"),
        ({"qualify_seconds": -1}, "qualify_seconds"),
        ({"name": "voicecall-contact"}, "name"),
    ],
)
async def test_E1_given_a_trunk_that_can_not_be_when_made_then_422_names_the_field(
    here: World, changes: dict[str, Any], field: str
) -> None:
    reply = await here.ask("POST", "/trunks", {**CARRIER, **changes})

    assert (reply.status, reply.fields) == (422, [field])


@pytest.mark.parametrize(
    ("route", "field"),
    [
        ({"prefix": "86", "trunks": ["carrier-a"]}, "prefix"),
        ({"prefix": "+86"}, "trunks"),
        ({"prefix": "+86", "trunks": ["nobody"]}, "trunks"),
        ({"prefix": "+86", "trunks": ["carrier-a", "carrier-a"]}, "trunks"),
        ({"prefix": "+86", "contact": "tel:1"}, "contact"),
        ({"prefix": "+9991", "trunks": ["carrier-a"]}, "prefix"),
    ],
)
async def test_E1_given_a_route_that_can_not_be_when_made_then_422_names_the_field(
    here: World, route: dict[str, Any], field: str
) -> None:
    await here.ask("POST", "/trunks", CARRIER)

    reply = await here.ask("POST", "/routes", route)

    assert (reply.status, reply.fields) == (422, [field])


async def test_E1_given_a_trunk_that_a_route_uses_when_deleted_then_409_names_the_route(here: World) -> None:
    await here.ask("POST", "/trunks", CARRIER)
    await here.ask("POST", "/routes", {"prefix": "+86", "trunks": ["carrier-a"]})

    refused = await here.ask("DELETE", "/trunks/carrier-a")
    await here.ask("DELETE", "/routes/%2B86")
    done = await here.ask("DELETE", "/trunks/carrier-a")

    assert (refused.status, refused.body["uses"]) == (409, [{"kind": "route", "id": "+86"}])
    assert done.status == 204
    assert here.services.directory.now.trunks == ()


async def test_E1_given_a_route_over_a_trunk_when_edited_to_two_then_the_order_is_kept(here: World) -> None:
    for name in ("carrier-b", "carrier-a"):
        await here.ask("POST", "/trunks", {**CARRIER, "name": name})
    made = await here.ask("POST", "/routes", {"prefix": "+86", "trunks": ["carrier-a"]})
    read = await here.ask("GET", "/routes/%2B86")

    edited = await here.ask(
        "PATCH", "/routes/%2B86", {"trunks": ["carrier-b", "carrier-a"]}, headers=read.etag
    )

    assert made.body["trunks"] == ["carrier-a"]
    assert edited.body["trunks"] == ["carrier-b", "carrier-a"]


async def test_E1_given_trunks_that_nothing_is_known_of_when_their_states_are_read_then_they_work(
    here: World,
) -> None:
    await here.ask("POST", "/trunks", CARRIER)
    here.services.fleet.first.trunks.watch(here.services.directory.now.trunks)

    [state] = (await here.ask("GET", "/trunk-states")).body["items"]

    assert state == {
        "name": "carrier-a",
        "node": "node1",
        "works": True,
        "reachable": None,
        "registered": None,
        "registration": None,
    }


async def test_C1_given_a_tenant_when_it_asks_for_trunks_then_403(here: World) -> None:
    assert (await here.ask("GET", "/trunks", role=Role.ADMINISTRATOR, of=ALPHA)).status == 403

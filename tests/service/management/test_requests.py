"""What every operation of the management API has in common: problems, pages, repeated requests, versions."""

import asyncio
import json
from datetime import timedelta
from functools import partial

import pytest
from service.management.world import ALPHA, BETA, World
from sqlalchemy import select
from sqlmodel import Session

from controller.management.roles import Role
from controller.store.schema import METADATA

pytestmark = pytest.mark.requirement("C9")

NEW = {"id": "gamma", "name": "Gamma Ltd", "max_calls": 3}


async def accounts(world: World) -> list[str]:
    return [item["id"] for item in (await world.ask("GET", "/accounts")).body["items"]]


# Problems


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        (b"{", 400, []),
        (b"[]", 400, []),
        (b'{"id":"x","id":"y"}', 400, []),
        (b'{"id":"\\u0000"}', 400, []),
        (b'{"id":"\\ud800"}', 400, []),
        (b"\xff", 400, []),
        (b"[" * 40_000, 400, []),
        (b"{}", 422, ["id"]),
        (b'{"id":"a b"}', 422, ["id"]),
        (b'{"id":"x","max_calls":"7"}', 422, ["max_calls"]),
        (b'{"id":"x","max_calls":-1,"color":1}', 422, ["max_calls", "color"]),
        (b'{"id":"x","rules":{"hours":["25:00-26:00"]}}', 422, ["rules.hours.0"]),
        (b'{"id":"x"' + b" " * 65536 + b"}", 413, []),
    ],
)
async def test_C9_given_a_body_with_faults_when_sent_then_a_problem_names_each_field_and_nothing_is_done(
    here: World, body: bytes, status: int, fields: list[str]
) -> None:
    reply = await here.ask("POST", "/accounts", body, headers={"Content-Type": "application/json"})

    assert reply.status == status
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert (reply.body["status"], reply.fields) == (status, fields)
    assert reply.body["request_id"] == reply.headers["X-Request-Id"]
    assert await accounts(here) == [ALPHA, BETA]


async def test_C9_given_a_body_of_another_type_when_sent_then_415(here: World) -> None:
    reply = await here.ask("POST", "/accounts", b"id=x", headers={"Content-Type": "text/plain"})

    assert (reply.status, reply.slug) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("limit=1&limit=2", "limit"),
        ("colour=red", "colour"),
        ("cursor=nonsense", "cursor"),
        ("cursor=W10", "cursor"),
        ("account_id=a%20b", "account_id"),
        ("account_id=%00", "account_id"),
    ],
)
async def test_C9_given_a_wrong_parameter_when_sent_then_422_names_it(
    here: World, query: str, field: str
) -> None:
    reply = await here.ask("GET", f"/accounts?{query}")

    assert (reply.status, reply.fields) == (422, [field])
    assert reply.body["errors"][0]["place"] == "query"


# Pages


async def test_C9_given_more_items_than_a_page_when_next_is_followed_then_each_comes_once_in_order(
    here: World,
) -> None:
    for number in range(5):
        assert (await here.ask("POST", "/accounts", {"id": f"made-{number}"})).status == 201
    seen: list[str] = []
    path: str | None = "/accounts?limit=2"
    while path is not None:
        body = (await here.ask("GET", path)).body
        seen += [item["id"] for item in body["items"]]
        path = body["next"]

    assert seen == [ALPHA, BETA, *(f"made-{number}" for number in range(5))]


async def test_C9_given_a_cursor_when_the_list_is_filtered_otherwise_then_422(here: World) -> None:
    following = (await here.ask("GET", "/accounts?limit=1")).body["next"]
    other = following.replace("/accounts", "/users")
    assert (await here.ask("GET", following)).status == 200

    for path in (following.replace("limit=1", "limit=2"), other):
        reply = await here.ask("GET", path)
        assert (reply.status, reply.fields) == (422, ["cursor"])


# Repeated requests


async def test_C9_given_a_creation_with_a_key_when_repeated_then_the_same_answer_and_nothing_is_done_twice(
    here: World,
) -> None:
    key = {"Idempotency-Key": "k-1"}

    first = await here.ask("POST", "/accounts", NEW, headers=key)
    again = await here.ask("POST", "/accounts", NEW, headers=key)

    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert len((await here.ask("GET", "/audit?action=create_account")).body["items"]) == 1


async def test_C9_given_a_key_when_used_at_once_many_times_then_one_is_created(here: World) -> None:
    key = {"Idempotency-Key": "k-1"}

    replies = await asyncio.gather(*(here.ask("POST", "/accounts", NEW, headers=key) for _ in range(8)))

    assert {reply.status for reply in replies} == {201}
    assert len((await here.ask("GET", "/audit?action=create_account")).body["items"]) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/contacts", {"name": "Dora", "email": "dora@example.com"}),
        ("/templates", {"name": "A parcel", "text": "Your parcel has come."}),
    ],
)
async def test_C9_given_a_key_when_used_at_once_for_what_another_room_creates_then_there_is_one(
    here: World, path: str, body: dict[str, str]
) -> None:
    ask = partial(here.ask, "POST", path, body, headers={"Idempotency-Key": "k-1"}, of=ALPHA)

    replies = await asyncio.gather(*(ask() for _ in range(8)))

    assert {(reply.status, reply.body["id"]) for reply in replies} == {(201, replies[0].body["id"])}
    listed = await here.ask("GET", path, of=ALPHA)
    assert [item["id"] for item in listed.body["items"]] == [replies[0].body["id"]]


async def test_C9_given_a_key_when_used_with_another_body_then_422(here: World) -> None:
    key = {"Idempotency-Key": "k-1"}
    await here.ask("POST", "/accounts", NEW, headers=key)

    reply = await here.ask("POST", "/accounts", {**NEW, "name": "Other"}, headers=key)

    assert (reply.status, reply.slug) == (422, "idempotency-key-reused")


async def test_C9_given_a_key_when_another_user_uses_it_then_it_is_another_key(here: World) -> None:
    key = {"Idempotency-Key": "k-1"}
    body = {"name": "t", "role": "viewer"}

    first = await here.ask("POST", "/tokens", body, headers=key, of=ALPHA)
    other = await here.ask("POST", "/tokens", body, headers=key, of=BETA)

    assert other.status == 201
    assert other.body["token"] != first.body["token"]


async def test_C9_given_a_key_when_a_day_is_over_then_it_is_free(here: World) -> None:
    key = {"Idempotency-Key": "k-1"}
    body = {"name": "t", "role": "viewer"}
    first = await here.ask("POST", "/tokens", body, headers=key)
    here.clock.time += timedelta(hours=23, minutes=59)
    same = await here.ask("POST", "/tokens", body, headers=key)
    here.clock.time += timedelta(seconds=59)
    assert same.body == first.body

    here.clock.time += timedelta(seconds=1)
    assert (await here.ask("GET", "/me")).status == 401, "the tests' own tokens are good for a day"


async def test_C9_given_a_refused_creation_with_a_key_when_mended_then_the_key_is_still_free(
    here: World,
) -> None:
    key = {"Idempotency-Key": "k-1"}
    refused = await here.ask("POST", "/accounts", {**NEW, "id": ALPHA}, headers=key)

    reply = await here.ask("POST", "/accounts", NEW, headers=key)

    assert (refused.status, reply.status) == (409, 201)


async def test_C9_given_a_kept_answer_with_a_secret_when_the_database_is_read_then_it_is_not_there(
    here: World,
) -> None:
    key = {"Idempotency-Key": "k-1"}
    reply = await here.ask("POST", "/tokens", {"name": "t", "role": "viewer"}, headers=key)

    def read(session: Session) -> list[str]:
        tables = [*METADATA.tables.values()]
        return [f"{table.name} {row}" for table in tables for row in session.execute(select(table))]

    kept = "\n".join(await here.read(read))
    assert reply.body["token"] not in kept
    assert "idempotent_answer" in kept


# Versions


async def test_C9_given_a_version_when_it_is_changed_then_the_old_one_is_no_good_any_more(
    here: World,
) -> None:
    read = await here.ask("GET", f"/accounts/{ALPHA}")

    first = await here.ask("PATCH", f"/accounts/{ALPHA}", {"max_calls": 7}, headers=read.etag)
    second = await here.ask("PATCH", f"/accounts/{ALPHA}", {"max_calls": 8}, headers=read.etag)
    third = await here.ask("PATCH", f"/accounts/{ALPHA}", {"name": "A"}, headers=first.etag)

    assert (first.status, first.body["max_calls"]) == (200, 7)
    assert (second.status, second.slug) == (412, "changed-meanwhile")
    assert (third.status, third.body["max_calls"], third.body["name"]) == (200, 7, "A")


async def test_C9_given_no_version_when_something_is_changed_then_428(here: World) -> None:
    reply = await here.ask("PATCH", f"/accounts/{ALPHA}", {"max_calls": 7})

    assert (reply.status, reply.slug) == (428, "version-missing")


async def test_C9_given_two_changes_of_one_version_at_once_when_they_race_then_one_is_done(
    here: World,
) -> None:
    read = await here.ask("GET", f"/accounts/{ALPHA}")

    replies = await asyncio.gather(
        *(
            here.ask("PATCH", f"/accounts/{ALPHA}", {"max_calls": most}, headers=read.etag)
            for most in range(1, 9)
        )
    )

    assert sorted(reply.status for reply in replies) == [200, *[412] * 7]


# In force


@pytest.mark.requirement("C1")
async def test_C9_given_a_change_when_answered_then_the_running_controller_has_it(here: World) -> None:
    read = await here.ask("GET", f"/accounts/{ALPHA}")
    await here.ask("PATCH", f"/accounts/{ALPHA}", {"active": False}, headers=read.etag)

    assert here.services.directory.now.accounts[ALPHA].active is False


async def test_C9_given_the_documentation_when_asked_for_then_it_is_served(here: World) -> None:
    document = await here.ask("GET", "/openapi.json", role=None)
    page = await here.ask("GET", "/docs", role=None)

    assert json.loads(document.text)["info"]["title"] == "voicecall management API"
    assert "/api/v1/accounts" in page.text
    assert Role.VIEWER in page.text


@pytest.mark.requirement("A4.4")
async def test_A44_given_a_window_longer_than_calls_are_kept_when_an_account_gets_it_then_422_names_it(
    here: World,
) -> None:
    rules = {"callee_frequency": "refuse", "callee_windows": ["3/24h", "10/93d"]}
    edited = await here.ask("PATCH", f"/accounts/{ALPHA}", {"rules": rules}, headers={"If-Match": "*"})
    created = await here.ask("POST", "/accounts", {"id": "gamma", "rules": rules})
    for reply in (edited, created):
        assert (reply.status, reply.fields) == (422, ["rules.callee_windows"])
        assert "10/93d counts calls for longer than they are kept" in reply.body["detail"]
    rules["callee_windows"] = ["10/92d"]
    assert (await here.ask("POST", "/accounts", {"id": "gamma", "rules": rules})).status == 201


async def test_C9_given_any_answer_when_a_browser_gets_it_then_it_makes_no_page_of_it(here: World) -> None:
    for path in ("/healthz", "/readyz", "/nowhere", "/api/v1/me", "/console/login", "/metrics"):
        async with here.http.get(path, allow_redirects=False) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff", path
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
    async with here.http.request("TRACE", "/healthz") as answer:
        assert answer.status in (404, 405)

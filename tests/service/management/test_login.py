"""Logging in: passwords, sessions, tokens, and what guessing leads to."""

import asyncio
import os
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from http.cookies import Morsel
from typing import Any

import pytest
from argon2 import PasswordHasher
from service.management.world import ALPHA, BETA, OPERATOR, Reply, World, user_id

from controller.management.passwords import Passwords
from controller.management.roles import Role
from controller.store.management_tables import ApiToken, User

pytestmark = pytest.mark.requirement("C1")

LOGIN, PASSWORD = f"developer@{ALPHA}", "correct horse battery"


@pytest.fixture
async def home(here: World) -> World:
    """A world where alpha's developer has a password."""
    hashed = await here.services.passwords.hash(PASSWORD)

    def give(session: Any) -> None:
        session.get(User, user_id(Role.DEVELOPER, ALPHA)).password_hash = hashed

    await here.write(give)
    return here


async def log_in(world: World, login: str = LOGIN, password: str = PASSWORD, **headers: str) -> Reply:
    body = {"login": login, "password": password}
    return await world.ask("POST", "/session", body, role=None, headers=headers)


def cookie(reply: Reply, name: str = "voicecall") -> Morsel[str]:
    found = reply.cookies[name]
    assert isinstance(found, Morsel)
    return found


def in_session(reply: Reply, *, csrf: bool = True) -> Mapping[str, str]:
    headers = {"Cookie": f"voicecall={cookie(reply).value}"}
    return {**headers, "X-CSRF-Token": reply.body["csrf_token"]} if csrf else headers


async def test_C1_given_name_and_password_when_logged_in_then_a_session_that_browsers_keep_to_themselves(
    home: World,
) -> None:
    reply = await log_in(home)

    assert reply.status == 201
    assert (reply.body["login"], reply.body["role"], reply.body["account_id"]) == (LOGIN, "developer", ALPHA)
    made = cookie(reply)
    assert (made["httponly"], made["samesite"], made["path"], made["secure"]) == (True, "Lax", "/", "")
    me = await home.ask("GET", "/me", role=None, headers=in_session(reply, csrf=False))
    assert me.body["login"] == LOGIN


async def test_C1_given_https_when_logged_in_then_the_cookie_goes_over_https_to_this_host_alone(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from controller.api.remote import Remote

    monkeypatch.setattr(Remote, "base_url", lambda _self, _request: "https://voicecall.example")
    made = cookie(await log_in(home), "__Host-voicecall")

    assert (made["secure"], made["path"], made["domain"]) == (True, "/", "")


@pytest.mark.parametrize(("login", "password"), [(LOGIN, "wrong"), ("nobody", PASSWORD)])
async def test_C1_given_a_wrong_name_or_password_when_logged_in_then_the_same_401(
    home: World, login: str, password: str
) -> None:
    reply = await log_in(home, login, password)

    assert (reply.status, reply.body["detail"]) == (401, "Name, password or code is wrong")
    assert reply.cookies == {}


async def test_C1_given_an_unknown_name_when_logged_in_then_as_much_is_worked_out_as_for_a_known_one(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long the answer takes tells nobody which names there are."""
    compared: list[str] = []
    is_right = Passwords._is_right

    def noted(self: Passwords, kept: str, password: str) -> bool:
        compared.append(kept.rpartition("$")[0].rpartition("$")[0])
        return is_right(self, kept, password)

    monkeypatch.setattr(Passwords, "_is_right", noted)
    for login in (LOGIN, "nobody"):
        await log_in(home, login, "wrong")

    assert len(compared) == 2
    assert len(set(compared)) == 1, "the same algorithm at the same costs"


async def test_C1_given_a_wrong_then_a_right_password_when_logged_in_then_the_trail_says_who(
    home: World,
) -> None:
    await log_in(home, password="wrong")
    await log_in(home)

    entered, refused = (await home.ask("GET", "/audit?action=log_in")).body["items"]

    its = user_id(Role.DEVELOPER, ALPHA)
    assert [entered[name] for name in ("actor", "login", "target", "outcome")] == [its, LOGIN, its, "done"]
    assert [refused[name] for name in ("actor", "login", "target", "outcome")] == [
        None,
        LOGIN,
        its,
        "refused",
    ]


async def test_C1_given_a_session_when_something_is_changed_without_its_token_then_403(home: World) -> None:
    reply = await log_in(home)
    body = {"name": "t", "role": "viewer"}

    without = await home.ask("POST", "/tokens", body, role=None, headers=in_session(reply, csrf=False))
    foreign = {**in_session(reply), "X-CSRF-Token": (await log_in(home)).body["csrf_token"]}
    with_foreign = await home.ask("POST", "/tokens", body, role=None, headers=foreign)
    with_own = await home.ask("POST", "/tokens", body, role=None, headers=in_session(reply))

    assert (without.status, without.slug) == (403, "csrf-token-wrong")
    assert with_foreign.slug == "csrf-token-wrong"
    assert with_own.status == 201


async def test_C1_given_a_session_when_logged_out_then_it_is_over(home: World) -> None:
    reply = await log_in(home)

    gone = await home.ask("DELETE", "/session", role=None, headers=in_session(reply))

    assert (gone.status, cookie(gone)["max-age"]) == (204, "0")
    assert (await home.ask("GET", "/me", role=None, headers=in_session(reply))).status == 401


async def test_C1_given_a_session_when_its_hours_are_over_then_401(home: World) -> None:
    reply = await log_in(home)
    home.clock.time += timedelta(hours=12)

    assert (await home.ask("GET", "/me", role=None, headers=in_session(reply))).status == 401


async def test_C1_given_too_many_wrong_passwords_when_the_right_one_comes_then_429_until_time_has_passed(
    home: World,
) -> None:
    for _ in range(10):
        assert (await log_in(home, password="wrong")).status == 401

    locked = await log_in(home)
    home.clock.time += timedelta(minutes=15, seconds=1)
    later = await log_in(home)

    assert (locked.status, locked.headers["Retry-After"]) == (429, "900")
    assert later.status == 201


async def test_C1_given_guesses_made_at_once_when_too_many_were_wrong_then_the_rest_is_not_looked_at(
    home: World,
) -> None:
    tried = await asyncio.gather(*(log_in(home, password=f"guess {number}") for number in range(30)))
    right = await log_in(home)

    # Two are looked at at a time: the second may have begun before the last of ten was wrong.
    assert Counter(reply.status for reply in tried)[401] in (10, 11)
    assert {reply.status for reply in tried} == {401, 429}
    assert right.status == 429


async def test_C1_given_more_logins_at_once_than_can_be_looked_at_when_one_comes_then_it_is_to_come_later(
    home: World,
) -> None:
    turn = home.services.passwords._turn
    async with turn, turn:
        # None is looked at for as long as some may still come.
        logins = [asyncio.create_task(log_in(home)) for _ in range(80)]
        async with asyncio.timeout(30):
            while not any(login.done() for login in logins):  # noqa: ASYNC110 - a server answers them
                await asyncio.sleep(0.01)
    replies = await asyncio.gather(*logins)

    refused = [reply for reply in replies if reply.status != 201]
    assert 0 < len(refused) < len(replies)
    assert {(reply.status, reply.headers["Retry-After"]) for reply in refused} == {(429, "5")}
    assert (await log_in(home)).status == 201


async def test_C1_given_passwords_when_looked_at_then_in_threads_that_let_calls_go_first() -> None:
    class Hasher(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            return str(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, 0)

    assert int(await Passwords(Hasher()).hash("x")) == min(before + 10, 19)
    assert os.getpriority(os.PRIO_PROCESS, 0) == before


async def test_C1_given_a_token_when_its_user_loses_the_role_then_the_token_does_too(here: World) -> None:
    before = await here.ask("GET", "/users", of=ALPHA)
    admin = await here.ask("GET", f"/users/{user_id(Role.ADMINISTRATOR, ALPHA)}")
    await here.ask("POST", "/users", new_user("second", role="administrator"))

    edit = await here.ask("PATCH", f"/users/{admin.body['id']}", {"role": "viewer"}, headers=admin.etag)

    assert edit.status == 200
    assert (before.status, (await here.ask("GET", "/users", of=ALPHA)).status) == (200, 403)


async def test_C1_given_a_token_when_it_has_expired_or_its_user_is_inactive_then_401(here: World) -> None:
    user = await here.ask("GET", f"/users/{user_id(Role.VIEWER, BETA)}")
    await here.ask("PATCH", f"/users/{user.body['id']}", {"active": False}, headers=user.etag)

    assert (await here.ask("GET", "/me", role=Role.VIEWER, of=BETA)).status == 401
    here.clock.time += timedelta(days=1)
    assert (await here.ask("GET", "/me", role=Role.VIEWER, of=ALPHA)).status == 401


async def test_C1_given_a_new_token_when_created_then_it_works_is_shown_once_and_kept_as_a_digest(
    here: World,
) -> None:
    made = await here.ask("POST", "/tokens", {"name": "report", "role": "viewer"}, of=ALPHA)
    bearer = {"Authorization": f"Bearer {made.body['token']}"}

    me = await here.ask("GET", "/me", role=None, headers=bearer)
    listed = await here.ask("GET", "/tokens", of=ALPHA)
    row = await here.read(lambda session: session.get(ApiToken, made.body["id"]).digest)
    audited = await here.ask("GET", "/audit?kind=token")

    assert (me.body["role"], me.body["account_id"]) == ("viewer", ALPHA)
    assert (await here.ask("GET", "/users", role=None, headers=bearer)).status == 403
    for text in (listed.text, row, audited.text):
        assert made.body["token"] not in text
    assert (await here.ask("DELETE", f"/tokens/{made.body['id']}", of=ALPHA)).status == 204
    assert (await here.ask("GET", "/me", role=None, headers=bearer)).status == 401


async def test_C1_given_a_role_above_ones_own_when_a_token_is_asked_for_then_422(here: World) -> None:
    reply = await here.ask(
        "POST", "/tokens", {"name": "t", "role": "operator"}, role=Role.DEVELOPER, of=ALPHA
    )

    assert (reply.status, reply.fields) == (422, ["role"])


def new_user(login: str, **more: Any) -> dict[str, Any]:
    return {"login": login, "role": "viewer", "password": PASSWORD, "account_id": ALPHA, **more}


async def test_C1_given_an_accounts_administrator_when_creating_users_then_they_are_the_accounts(
    here: World,
) -> None:
    body = new_user("one")
    del body["account_id"]

    made = await here.ask("POST", "/users", body, of=ALPHA)
    operators = await here.ask("POST", "/users", body | {"login": "two"}, of=OPERATOR)
    logged_in = await log_in(here, "one")

    assert made.body["account_id"] == ALPHA
    assert operators.body["account_id"] is None
    assert logged_in.body["user_id"] == made.body["id"]


async def test_C1_given_a_login_when_taken_then_409(here: World) -> None:
    assert (await here.ask("POST", "/users", new_user("one"))).status == 201
    assert (await here.ask("POST", "/users", new_user("one"))).status == 409


async def test_C1_given_the_last_administrator_when_deactivated_then_409(here: World) -> None:
    last = await here.ask("GET", f"/users/{user_id(Role.ADMINISTRATOR, OPERATOR)}")

    for change in ({"active": False}, {"role": "viewer"}):
        reply = await here.ask("PATCH", f"/users/{last.body['id']}", change, headers=last.etag)
        assert (reply.status, reply.body["detail"]) == (409, "There must be an active administrator")


async def test_C1_given_a_new_password_when_set_then_it_counts_and_other_sessions_end(home: World) -> None:
    mine, other = await log_in(home), await log_in(home)
    body = {"old": PASSWORD, "new": "battery staple correct"}

    wrong = await home.ask("POST", "/me/password", {**body, "old": "no"}, role=None, headers=in_session(mine))
    done = await home.ask("POST", "/me/password", body, role=None, headers=in_session(mine))

    assert (wrong.status, wrong.fields) == (422, ["old"])
    assert done.status == 204
    assert (await home.ask("GET", "/me", role=None, headers=in_session(mine))).status == 200
    assert (await home.ask("GET", "/me", role=None, headers=in_session(other))).status == 401
    assert (await log_in(home)).status == 401
    assert (await log_in(home, password="battery staple correct")).status == 201

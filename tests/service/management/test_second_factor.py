"""The second factor of users, and what passwords must not be."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
from service.management.test_login import LOGIN, PASSWORD, in_session, log_in
from service.management.world import ALPHA, OPERATOR, Reply, World, user_id, world

from controller.management.roles import Role
from controller.settings import ManagementSettings
from controller.store.management_tables import User

pytestmark = pytest.mark.requirement("C1")

ME = "/me/second-factor"


async def give_password(world: World, role: Role, account: str | None) -> None:
    hashed = await world.services.passwords.hash(PASSWORD)

    def give(session: Any) -> None:
        session.get(User, user_id(role, account)).password_hash = hashed

    await world.write(give)


@pytest.fixture
async def home(here: World) -> World:
    """A world where alpha's developer has a password."""
    await give_password(here, Role.DEVELOPER, ALPHA)
    return here


@pytest.fixture
async def strict(tmp_path: Path, template: Path) -> AsyncIterator[World]:
    """A world where administrators must have a second factor."""
    management = ManagementSettings(second_factor="administrators")
    async with world(tmp_path, template, management=management) as made:
        await give_password(made, Role.DEVELOPER, ALPHA)
        await give_password(made, Role.ADMINISTRATOR, ALPHA)
        yield made


def code(world: World, secret: str, *, later: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(int(world.clock.now().timestamp()) // 30 + later)


async def enrol(world: World, session: Reply) -> str:
    """Set up a second factor; its secret."""
    asked = {"role": None, "headers": in_session(session)}
    begun = await world.ask("POST", ME, {"password": PASSWORD}, **asked)
    assert begun.status == 201, begun.text
    secret = str(begun.body["secret"])
    done = await world.ask("POST", f"{ME}/confirm", {"code": code(world, secret)}, **asked)
    assert done.status == 204, done.text
    world.clock.time += timedelta(seconds=60)
    return secret


async def login_with(world: World, shown: str, login: str = LOGIN) -> Reply:
    return await world.ask(
        "POST", "/session", {"login": login, "password": PASSWORD, "code": shown}, role=None
    )


async def test_C1_given_a_second_factor_when_logging_in_then_its_code_is_needed_besides_the_password(
    home: World,
) -> None:
    secret = await enrol(home, await log_in(home))

    without, wrong = await log_in(home), await login_with(home, "000000")
    right = await login_with(home, code(home, secret))

    assert [reply.status for reply in (without, wrong, right)] == [401, 401, 201]
    assert without.body["detail"] == wrong.body["detail"] == "Name, password or code is wrong"
    assert right.body["second_factor"] is True
    me = await home.ask("GET", "/me", role=None, headers=in_session(right))
    assert me.body["second_factor"] is True


async def test_C1_given_a_code_that_was_used_when_it_is_shown_again_then_401(home: World) -> None:
    secret = await enrol(home, await log_in(home))

    first = await login_with(home, code(home, secret))
    again = await login_with(home, code(home, secret))
    older = await login_with(home, code(home, secret, later=-1))
    home.clock.time += timedelta(seconds=30)
    later = await login_with(home, code(home, secret))

    assert [reply.status for reply in (first, again, older, later)] == [201, 401, 401, 201]


async def test_C1_given_a_code_of_a_minute_ago_or_of_the_future_when_shown_then_401(home: World) -> None:
    secret = await enrol(home, await log_in(home))

    for later in (-2, 1):
        assert (await login_with(home, code(home, secret, later=later))).status == 401
    assert (await login_with(home, code(home, secret, later=-1))).status == 201, "of the step before"


async def test_C1_given_a_second_factor_when_codes_are_guessed_then_the_address_is_locked(
    home: World,
) -> None:
    secret = await enrol(home, await log_in(home))
    for _ in range(10):
        assert (await login_with(home, "000000")).status == 401

    assert (await login_with(home, code(home, secret))).status == 429


async def test_C1_given_a_second_factor_that_is_begun_when_no_code_was_shown_then_it_does_not_count(
    home: World,
) -> None:
    session = in_session(await log_in(home))
    wrong_password = await home.ask("POST", ME, {"password": "wrong"}, role=None, headers=session)
    early = await home.ask("POST", f"{ME}/confirm", {"code": "123456"}, role=None, headers=session)
    begun = await home.ask("POST", ME, {"password": PASSWORD}, role=None, headers=session)
    wrong = await home.ask("POST", f"{ME}/confirm", {"code": "12345"}, role=None, headers=session)

    assert (wrong_password.status, wrong_password.fields) == (422, ["password"])
    assert early.status == 409
    assert (wrong.status, wrong.fields) == (422, ["code"])
    assert begun.body["address"].startswith("otpauth://totp/voicecall:")
    assert (await log_in(home)).status == 201


async def test_C1_given_a_second_factor_when_confirmed_or_taken_away_then_other_sessions_end(
    home: World,
) -> None:
    mine, other = await log_in(home), await log_in(home)
    secret = await enrol(home, mine)
    assert (await home.ask("GET", "/me", role=None, headers=in_session(other))).status == 401
    another = await login_with(home, code(home, secret))
    home.clock.time += timedelta(seconds=30)

    body = {"password": PASSWORD, "code": "000000"}
    wrong = await home.ask("POST", f"{ME}/remove", body, role=None, headers=in_session(mine))
    body["code"] = code(home, secret)
    gone = await home.ask("POST", f"{ME}/remove", body, role=None, headers=in_session(mine))

    assert (wrong.status, wrong.fields, gone.status) == (422, ["code"], 204)
    assert (await home.ask("GET", "/me", role=None, headers=in_session(another))).status == 401
    assert (await log_in(home)).status == 201
    again = await home.ask("POST", f"{ME}/remove", body, role=None, headers=in_session(mine))
    assert again.status == 409


async def test_C1_given_a_secret_of_a_second_factor_when_kept_then_it_is_in_no_answer_and_no_trail(
    home: World,
) -> None:
    secret = await enrol(home, await log_in(home))

    shown = [await home.ask("GET", path) for path in (f"/users/{user_id(Role.DEVELOPER, ALPHA)}", "/audit")]

    assert shown[0].body["second_factor"] is True
    assert not [reply for reply in shown if secret in reply.text]


async def test_C1_given_somebody_who_lost_the_app_when_an_administrator_takes_it_away_then_the_password_does(
    home: World,
) -> None:
    session = await log_in(home)
    await enrol(home, session)
    user = await home.ask("GET", f"/users/{user_id(Role.DEVELOPER, ALPHA)}", of=ALPHA)

    change = {"second_factor": False}
    done = await home.ask("PATCH", f"/users/{user.body['id']}", change, of=ALPHA, headers=user.etag)
    given = await home.ask("PATCH", f"/users/{user.body['id']}", {"second_factor": True}, headers=user.etag)

    assert (done.status, done.body["second_factor"]) == (200, False)
    assert (given.status, given.fields) == (422, ["second_factor"])
    assert (await home.ask("GET", "/me", role=None, headers=in_session(session))).status == 401
    assert (await log_in(home)).status == 201


async def test_C1_given_administrators_must_have_one_when_they_have_none_then_they_can_only_set_it_up(
    strict: World,
) -> None:
    login = f"administrator@{ALPHA}"
    session = await log_in(strict, login)
    headers = {"role": None, "headers": in_session(session)}

    refused = [await strict.ask("GET", path, **headers) for path in ("/users", "/calls", "/tokens")]
    await enrol(strict, session)
    after = await strict.ask("GET", "/users", **headers)

    assert session.body["lacks_factor"] is True
    assert {(reply.status, reply.slug) for reply in refused} == {(403, "second-factor-missing")}
    assert after.status == 200
    assert (await log_in(strict, login)).status == 401
    developers = await log_in(strict)
    assert developers.body["lacks_factor"] is False
    assert (await strict.ask("GET", "/users", of=ALPHA)).status == 200, "tokens of programs go on"


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("password1234", "must not be one that is known from breaches"),
        ("Voicecall2026!", "must have at least 8 characters beside words such as voicecall"),
        ("developer@alpha", "must have at least 8 characters beside words such as developer"),
    ],
)
async def test_C1_given_a_password_that_anybody_would_try_when_set_anywhere_then_422(
    home: World, password: str, rule: str
) -> None:
    session = in_session(await log_in(home))
    user = await home.ask("GET", f"/users/{user_id(Role.DEVELOPER, ALPHA)}")
    new = {"login": "one", "role": "viewer", "password": password, "account_id": ALPHA}

    replies = [
        await home.ask(
            "POST", "/me/password", {"old": PASSWORD, "new": password}, role=None, headers=session
        ),
        await home.ask("POST", "/users", new, of=OPERATOR),
        await home.ask("PATCH", f"/users/{user.body['id']}", {"password": password}, headers=user.etag),
    ]

    assert [reply.status for reply in replies] == [422, 422, 422]
    assert {fault["detail"] for reply in replies for fault in reply.body["errors"]} == {rule}
    assert (await log_in(home)).status == 201, "the old one stays"

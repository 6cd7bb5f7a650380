"""Sessions end when nobody uses them; users see theirs, and end them."""

from datetime import timedelta
from pathlib import Path

import pytest
from service.management.test_login import PASSWORD, in_session, log_in
from service.management.test_second_factor import give_password
from service.management.world import ALPHA, Reply, World, world

from controller.management.roles import Role
from controller.settings import ManagementSettings

pytestmark = pytest.mark.requirement("C1")


@pytest.fixture
async def home(here: World) -> World:
    """A world where alpha's developer and viewer have a password."""
    await give_password(here, Role.DEVELOPER, ALPHA)
    await give_password(here, Role.VIEWER, ALPHA)
    return here


async def me(world: World, session: Reply) -> int:
    return (await world.ask("GET", "/me", role=None, headers=in_session(session))).status


async def test_C1_given_a_session_when_it_is_not_used_for_its_time_then_it_is_over(home: World) -> None:
    used, unused = await log_in(home), await log_in(home)
    for _ in range(3):
        home.clock.time += timedelta(minutes=29)
        assert await me(home, used) == 200

    assert await me(home, unused) == 401
    home.clock.time += timedelta(minutes=60)
    assert await me(home, used) == 401


async def test_C1_given_no_limit_of_idleness_when_a_session_is_not_used_then_its_hours_count(
    tmp_path: Path, template: Path
) -> None:
    async with world(tmp_path, template, management=ManagementSettings(idle_minutes=0)) as endless:
        await give_password(endless, Role.DEVELOPER, ALPHA)
        session = await log_in(endless)
        endless.clock.time += timedelta(hours=11, minutes=59)

        assert await me(endless, session) == 200
        endless.clock.time += timedelta(minutes=1)
        assert await me(endless, session) == 401


async def test_C1_given_sessions_when_listed_then_ones_own_that_go_on_and_which_of_them_asks(
    home: World,
) -> None:
    over = await log_in(home)
    home.clock.time += timedelta(minutes=61)
    first, second = await log_in(home), await log_in(home)
    await log_in(home, f"viewer@{ALPHA}")
    home.clock.time += timedelta(minutes=2)

    listed = await home.ask("GET", "/me/sessions", role=None, headers=in_session(first))

    mine, other = sorted(listed.body["items"], key=lambda one: not one["is_this"])
    assert (len(listed.body["items"]), mine["is_this"], other["is_this"]) == (2, True, False)
    assert (mine["address"], mine["began_at"]) == ("127.0.0.1", "2026-11-24T09:01:00.000000Z")
    assert (mine["used_at"], other["used_at"]) == (
        "2026-11-24T09:03:00.000000Z",
        "2026-11-24T09:01:00.000000Z",
    )
    assert await me(home, over) == 401
    assert in_session(second)["Cookie"].partition("=")[2] not in listed.text


async def test_C1_given_a_session_of_ones_own_when_ended_with_the_password_then_it_is_over(
    home: World,
) -> None:
    mine, second, third = [await log_in(home) for _ in range(3)]
    asked = {"role": None, "headers": in_session(mine)}
    ids = {
        one["id"]
        for reply in (second, third)
        for one in (await home.ask("GET", "/me/sessions", role=None, headers=in_session(reply))).body["items"]
        if one["is_this"]
    }
    body = {"password": PASSWORD, "session_id": min(ids)}

    wrong = await home.ask("POST", "/me/sessions/end", {**body, "password": "wrong"}, **asked)
    unknown = await home.ask("POST", "/me/sessions/end", {**body, "session_id": "0" * 16}, **asked)
    done = await home.ask("POST", "/me/sessions/end", body, **asked)

    assert (wrong.status, wrong.fields) == (422, ["password"])
    assert (unknown.status, unknown.fields) == (422, ["session_id"])
    assert done.status == 204
    assert sorted([await me(home, second), await me(home, third)]) == [200, 401]
    assert await me(home, mine) == 200
    assert (await home.ask("POST", "/me/sessions/end", {"password": PASSWORD}, **asked)).status == 204
    assert [await me(home, one) for one in (mine, second, third)] == [200, 401, 401]


async def test_C1_given_a_session_of_somebody_else_when_it_is_to_be_ended_then_422_and_it_goes_on(
    home: World,
) -> None:
    mine, others = await log_in(home), await log_in(home, f"viewer@{ALPHA}")
    listed = await home.ask("GET", "/me/sessions", role=None, headers=in_session(others))
    body = {"password": PASSWORD, "session_id": listed.body["items"][0]["id"]}

    refused = await home.ask("POST", "/me/sessions/end", body, role=None, headers=in_session(mine))

    assert (refused.status, refused.fields) == (422, ["session_id"])
    assert await me(home, others) == 200

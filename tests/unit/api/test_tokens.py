"""Access tokens: only the newest is good, for 48 hours; nothing but digests is kept."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from pydantic import SecretStr

from controller.accounts.directory import Application, Directory, Login
from controller.accounts.errors import AddressNotAllowed
from controller.api.wire.authentication.lockout import WrongProof
from controller.api.wire.authentication.tokens import TokenDesk, Tokens, token_answer
from controller.api.wire.results import WireError
from controller.api.wire.token_handlers import access_token
from controller.store.database import Database
from controller.store.tables import Account, App, Service

USER, PASSWORD, SECRET = "sp-user", "raw-password", "s3cret-APP-0001"


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Bench:
    """A desk, its clock, and a directory of two apps: one that logs in, one that can't."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.address = "192.0.2.1"
        self.clock = Clock()
        self.desk = TokenDesk(database, self.clock, timedelta(hours=48))
        self.directory = Directory(
            1,
            {
                "app-1": self._app("app-1", Login(USER, SecretStr(PASSWORD))),
                "app-2": self._app("app-2", None),
            },
        )

    @staticmethod
    def _app(key: str, login: Login | None) -> Application:
        secret = SecretStr(SECRET)
        return Application(key, "sp", Service.CALLBACK, True, False, 10, secret, None, None, login)

    async def login(self, app_key: str = "app-1", user: str = USER, password: str = PASSWORD) -> Tokens:
        return await self.desk.login(self.directory, app_key, user, password, self.address)

    async def refresh(self, token: str, secret: str = SECRET) -> Tokens:
        return await self.desk.refresh(self.directory, "app-1", secret, token, self.address)

    async def app_of(self, token: str) -> str:
        return (await self.desk.authenticate(self.directory, token, self.address)).key


@pytest.fixture
async def bench(database: Database) -> Bench:
    def declare(session) -> None:
        session.add(Account(id="sp"))
        session.flush()
        for key in ("app-1", "app-2"):
            session.add(App(key=key, account_id="sp", service="callback", secret=SECRET))

    await database.write(declare)
    return Bench(database)


async def refused(doing) -> str:
    with pytest.raises(WireError) as error:
        await doing
    return error.value.result.code


async def test_given_user_and_password_when_logged_in_then_the_token_is_the_apps(bench: Bench) -> None:
    given = await bench.login()

    assert await bench.app_of(given.access) == "app-1"


async def test_given_a_login_when_answered_then_every_value_is_text_and_safe_in_a_query(
    bench: Bench,
) -> None:
    answer = token_answer(await bench.login())

    assert {type(value) for value in answer.values()} == {str}
    assert (answer["expires_in"], answer["resultcode"], answer["resultdesc"]) == ("172800", "0", "Succeed")
    for name in ("access_token", "refresh_token"):
        assert answer[name].replace("-", "").replace("_", "").isalnum()
        assert len(answer[name]) <= 180


@pytest.mark.parametrize(
    ("app_key", "user", "password", "code"),
    [
        ("app-1", USER, "wrong", "1010002"),
        ("app-1", "wrong", PASSWORD, "1010002"),
        ("app-2", "", "", "1010002"),
        ("app-3", USER, PASSWORD, "1010003"),
    ],
)
async def test_given_a_wrong_login_when_asked_for_a_token_then_its_code(
    bench: Bench, app_key: str, user: str, password: str, code: str
) -> None:
    assert await refused(bench.login(app_key, user, password)) == code


async def test_given_a_second_login_when_the_first_token_is_used_then_1010004(bench: Bench) -> None:
    first = await bench.login()
    second = await bench.login()

    assert await refused(bench.app_of(first.access)) == "1010004"
    assert await bench.app_of(second.access) == "app-1"


async def test_given_tokens_that_ended_when_used_then_it_is_no_guess_and_any_other_is_one(
    bench: Bench,
) -> None:
    ended = [await bench.login(), await bench.login()]
    last = await bench.refresh(ended[1].refresh)
    await bench.desk.logout(bench.directory, last.access, "192.0.2.1")

    for given in (*ended, last):
        with pytest.raises(WireError) as error:
            await bench.app_of(given.access)
        assert not isinstance(error.value, WrongProof)
    with pytest.raises(WrongProof):
        await bench.app_of("x" * 43)


async def test_given_a_refresh_when_done_then_a_new_pair_takes_the_place_of_the_old_one(bench: Bench) -> None:
    first = await bench.login()
    second = await bench.refresh(first.refresh)

    assert await bench.app_of(second.access) == "app-1"
    assert await refused(bench.app_of(first.access)) == "1010004"
    assert await refused(bench.refresh(first.refresh)) == "1010004"


async def test_given_a_wrong_secret_when_refreshed_then_1010009(bench: Bench) -> None:
    first = await bench.login()

    assert await refused(bench.refresh(first.refresh, "wrong")) == "1010009"


async def test_given_48_hours_when_they_are_over_then_1010005_and_a_refresh_helps(bench: Bench) -> None:
    first = await bench.login()
    bench.clock.time += timedelta(hours=48)

    assert await refused(bench.app_of(first.access)) == "1010005"
    assert await bench.app_of((await bench.refresh(first.refresh)).access) == "app-1"


async def test_given_a_logout_when_the_token_is_used_then_1010004(bench: Bench) -> None:
    given = await bench.login()
    await bench.desk.logout(bench.directory, given.access, bench.address)

    assert await refused(bench.app_of(given.access)) == "1010004"


async def test_given_a_token_when_kept_then_the_database_has_only_its_digest(
    bench: Bench, tmp_path: Path
) -> None:
    given = await bench.login()

    kept = b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))
    assert given.access.encode() not in kept
    assert given.refresh.encode() not in kept


@pytest.mark.requirement("C3")
async def test_C3_given_an_ip_whitelist_when_a_token_is_used_elsewhere_then_it_is_refused_for_everything(
    bench: Bench,
) -> None:
    given = await bench.login()
    app = replace(bench.directory.applications["app-1"], ip_whitelist=(ip_network("198.51.100.0/24"),))
    bench.directory = Directory(1, {"app-1": app})

    for asked in (
        bench.login(),
        bench.refresh(given.refresh),
        bench.app_of(given.access),
        bench.desk.logout(bench.directory, given.access, bench.address),
    ):
        with pytest.raises(AddressNotAllowed):
            await asked
    bench.address = "198.51.100.7"
    assert await bench.app_of(given.access) == "app-1"


@pytest.mark.requirement("A4.5")
@pytest.mark.parametrize(
    ("query", "token"),
    [
        ("access_token=MTM5@x=&format=json", "MTM5@x="),
        ("app_key=a&access_token=a+b/c==", "a+b/c=="),
        ("access_token=a%2Bb%2Fc%3D%3D", "a+b/c=="),
        ("access_token=a%20b", "a+b"),
        ("access_token=", None),
        ("", None),
    ],
)
def test_given_a_token_in_the_query_when_read_then_escaped_or_not(query: str, token: str | None) -> None:
    assert access_token(make_mocked_request("POST", f"/rest?{query}")) == token

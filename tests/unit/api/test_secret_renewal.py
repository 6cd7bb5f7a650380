"""While the secret of an app is renewed both are taken, from all generations, until the old one expires."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from controller.accounts.directory import Application, Directory, Login, PreviousSecret
from controller.api.wire.authentication import Authenticator, Lockout, TokenDesk
from controller.api.wire.results import WireError
from controller.settings import AuthenticationSettings
from controller.store.database import Database
from controller.store.tables import Account, App, Service
from testbed.client import aksk_headers, wsse_headers

NEW, OLD, OTHER = "the new secret", "the old secret", "another secret"
USER, PASSWORD, ADDRESS = "user", "password", "192.0.2.1"
GRACE = timedelta(hours=24)


@dataclass
class Gate:
    """An app whose secret was renewed just now."""

    database: Database
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        lockout = Lockout(100, timedelta(minutes=10), timedelta(minutes=30))
        self.desk = TokenDesk(self.database, self, timedelta(hours=48))
        settings = AuthenticationSettings(created_tolerance=2 * GRACE.total_seconds())
        self.authenticator = Authenticator(settings, self, self.desk, lockout)
        app = Application(
            "app-1",
            "sp",
            Service.NOTIFICATION,
            True,
            False,
            10,
            SecretStr(NEW),
            None,
            None,
            Login(USER, SecretStr(PASSWORD)),
            previous_secret=PreviousSecret(SecretStr(OLD), self.time + GRACE),
        )
        self.directory = Directory(1, {"app-1": app})

    def now(self) -> datetime:
        return self.time

    async def aksk(self, secret: str) -> None:
        await self._authenticate(aksk_headers("app-1", secret))

    async def wsse(self, secret: str) -> None:
        await self._authenticate(wsse_headers("app-1", secret))

    async def wsse_of_hex_text(self, secret: str) -> None:
        await self._authenticate(wsse_headers("app-1", secret, of_hex_text=True))

    async def token(self, secret: str) -> None:
        given = await self.desk.login(self.directory, "app-1", USER, PASSWORD, ADDRESS)
        await self.desk.refresh(self.directory, "app-1", secret, given.refresh, ADDRESS)

    async def _authenticate(self, headers: dict[str, str]) -> None:
        await self.authenticator.authenticate(headers, None, ADDRESS, self.directory)


Prove = Callable[[Gate, str], Coroutine[Any, Any, None]]
GENERATIONS = pytest.mark.parametrize(
    ("prove", "refusal"),
    [
        (Gate.aksk, "1023006"),
        (Gate.wsse, "1023006"),
        (Gate.wsse_of_hex_text, "1023006"),
        (Gate.token, "1010009"),
    ],
)


@pytest.fixture
async def gate(database: Database) -> Gate:
    def declare(session) -> None:
        session.add(Account(id="sp"))
        session.flush()
        session.add(App(key="app-1", account_id="sp", service="notification", secret=NEW))

    await database.write(declare)
    return Gate(database)


async def code_of(refused: Coroutine[Any, Any, None]) -> str:
    with pytest.raises(WireError) as error:
        await refused
    return error.value.result.code


@pytest.mark.requirement("C3")
@GENERATIONS
async def test_C3_given_a_renewed_secret_when_the_old_one_has_time_left_then_both_are_taken_and_no_other(
    gate: Gate, prove: Prove, refusal: str
) -> None:
    gate.time += GRACE - timedelta(seconds=1)

    await prove(gate, OLD)
    await prove(gate, NEW)
    assert await code_of(prove(gate, OTHER)) == refusal


@pytest.mark.requirement("C3")
@GENERATIONS
async def test_C3_given_a_renewed_secret_when_the_old_ones_time_is_over_then_only_the_new_one_is_taken(
    gate: Gate, prove: Prove, refusal: str
) -> None:
    gate.time += GRACE

    assert await code_of(prove(gate, OLD)) == refusal
    await prove(gate, NEW)

"""How long an Idempotency-Key is remembered: 24 hours, to the moment."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session
from unit.store.support import call_row

from controller.api.wire.idempotency import StartedCalls
from controller.api.wire.results import WireError
from controller.calls.service import Accepted
from controller.store.calls import accept_call
from controller.store.database import Database
from controller.store.errors import AskedBefore, Refused, Replayed
from controller.store.limits import Limits, NonceUse
from controller.store.tables import Account, App

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
DAY = timedelta(hours=24)


class Desk:
    """Keys of one app, and a clock that is set."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.time = NOW
        self.started = StartedCalls(database, self)

    def now(self) -> datetime:
        return self.time

    async def ask(self, body: bytes = b"{}") -> tuple[str, bool]:
        """Ask with the one key: the call, and whether it is a new one."""
        key = self.started.key("order-1", "app-1", "/path", body)
        async with self.started.alone(key):
            if (before := await self.started.find(key)) is not None:
                return before.session_id, False
            row = call_row(self.time)
            await self.database.write(
                lambda session: accept_call(session, row, None, Limits(app_calls=10), key)
            )
            return str(row["session_id"]), True


@pytest.fixture
async def desk(database: Database) -> Desk:
    def declare(session: Any) -> None:
        session.add(Account(id="acme"))
        session.flush()
        session.add(App(key="app-1", account_id="acme", service="notification", secret="12345678"))

    await database.write(declare)
    return Desk(database)


@pytest.mark.requirement("B5")
async def test_B5_given_a_key_when_24_hours_have_passed_then_it_starts_another_call(desk: Desk) -> None:
    first = await desk.ask()
    desk.time = NOW + DAY - timedelta(seconds=1)
    before = await desk.ask()
    desk.time = NOW + DAY
    after = await desk.ask()
    again = await desk.ask()

    assert first[1]
    assert before == (first[0], False)
    assert after[1]
    assert after[0] != first[0]
    assert again == (after[0], False)


@pytest.mark.requirement("B5")
async def test_B5_given_a_key_of_another_body_when_24_hours_have_passed_then_it_may_be_used(
    desk: Desk,
) -> None:
    await desk.ask()
    with pytest.raises(WireError) as refused:
        await desk.ask(b"other")
    desk.time = NOW + DAY

    assert refused.value.status == 422
    assert (await desk.ask(b"other"))[1]


@pytest.mark.requirement("B5")
async def test_B5_given_another_controller_that_was_asked_first_when_accepted_then_its_call_is_found(
    desk: Desk,
) -> None:
    """Between our look and our writing it has started the call."""
    other, _new = await desk.ask()
    key = desk.started.key("order-1", "app-1", "/path", b"{}")

    nonce = NonceUse("app-1", "n-1", key.expires_at)

    def accept(session: Session) -> type[Exception] | None:
        try:
            accept_call(session, call_row(), nonce, Limits(app_calls=10), key)
        except Refused as refused:
            return type(refused)
        return None

    assert await desk.database.write(accept) is AskedBefore
    # The request is used up all the same.
    assert await desk.database.write(accept) is Replayed

    found = await desk.started.find(key)
    assert isinstance(found, Accepted)
    assert found.session_id == other

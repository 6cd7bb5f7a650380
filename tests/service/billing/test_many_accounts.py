"""Money of many accounts: nobody keeps others from writing for long, and a crash in between loses nothing.

That it is not long is told by the statements of a transaction, as they are the same on every machine.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from service.billing.support import NOW, SETTINGS, Made, SetClock, add_calls, money, prepare
from service.statements import counted
from sqlmodel import Session, select

from controller.billing import ledger
from controller.billing.calendar import Calendar
from controller.billing.rent import charge_all_rents
from controller.billing.settlement import Settling
from controller.billing.spending import Spending
from controller.rules.amounts import from_units
from controller.store.billing_tables import Hold, HoldReason, LedgerTransfer
from controller.store.database import Database
from controller.store.holds import hold
from controller.store.tables import Account, App, Number

CALENDAR = Calendar(SETTINGS.zone_info)
FIRST_OF_DECEMBER = datetime(2026, 12, 1, 4, 0, tzinfo=UTC)
MOST_STATEMENTS = 550
"""Of 50 postings, each of which freezes its account and raises an alarm."""
ACCOUNTS = [f"many-{number:03}" for number in range(240)]


class DiedError(Exception):
    """As if the process had been killed."""


async def dying_ever_later(
    database: Database, monkeypatch: pytest.MonkeyPatch, run: Callable[[], Coroutine[Any, Any, Any]]
) -> int:
    """Run until one comes to its end; each dies after one more transaction. Returns how many died."""
    write = database.write
    for lives in range(1, 1000):
        left = lives

        async def mortal(work: Any, **more: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                raise DiedError
            return await write(work, **more)

        with monkeypatch.context() as patched:
            patched.setattr(database, "write", mortal)
            try:
                await run()
            except DiedError:
                continue
            return lives - 1
    raise AssertionError("it never comes to its end")


def add_accounts(session: Session, names: list[str]) -> None:
    connection = session.connection()
    connection.execute(Account.__table__.insert(), [{"id": name, "prepaid": True} for name in names])
    apps = [
        {"key": f"app-of-{name}", "account_id": name, "service": "notification", "secret": "12345678"}
        for name in names
    ]
    connection.execute(App.__table__.insert(), apps)


def add_numbers(session: Session, owner: str, count: int) -> None:
    numbers = [
        {"number": f"+86571{owner[-3:]}{number:05}", "account_id": owner, "state": "active"}
        for number in range(count)
    ]
    session.connection().execute(Number.__table__.insert(), numbers)


async def transfers(database: Database) -> list[LedgerTransfer]:
    return list(await database.read(lambda session: session.exec(select(LedgerTransfer)).all()))


async def frozen(database: Database) -> set[str]:
    return set(await database.read(lambda session: session.exec(select(Hold.scope)).all()))


@pytest.fixture
async def many(database: Database) -> AsyncIterator[Database]:
    def fill(session: Session) -> None:
        prepare(session)
        add_accounts(session, ACCOUNTS)

    await database.write(fill)
    yield database


def calls_of(accounts: list[str]) -> list[Made]:
    return [
        Made(f"call-{name}", NOW - timedelta(minutes=30), account_id=name, app_key=f"app-of-{name}")
        for name in accounts
    ]


def settling(database: Database, **more: Any) -> Settling:
    return Settling(database, SetClock(), SETTINGS, lambda _number: False, pause=0, **more)


@pytest.mark.requirement("C8", "E6")
async def test_C8_given_hundreds_of_prepaid_accounts_when_settled_then_no_transaction_is_long(
    many: Database,
) -> None:
    called, held = ACCOUNTS[:120], ACCOUNTS[120:]

    def fill(session: Session) -> None:
        add_calls(session, calls_of(called))
        for name in held:
            hold(session, name, HoldReason.EXHAUSTED, NOW)

    await many.write(fill)
    with counted(each_row=True) as statements:
        settled = await settling(many).settle()

    assert (settled.calls, settled.accounts) == (120, 120)
    assert max(statements) <= MOST_STATEMENTS
    # Who has paid nothing is frozen with the charge, and stays frozen.
    assert await frozen(many) == set(ACCOUNTS)


@pytest.mark.requirement("C8", "E6")
async def test_C8_given_prepaid_accounts_without_calls_when_settled_then_nothing_is_looked_at_but_the_calls(
    many: Database,
) -> None:
    with counted(each_row=True) as statements:
        await settling(many).settle()

    assert sum(statements) < 20


@pytest.mark.requirement("C8")
async def test_C8_given_an_account_that_is_frozen_and_has_money_when_settled_then_it_is_thawed(
    many: Database,
) -> None:
    def fill(session: Session) -> None:
        paid = ledger.top_up(ACCOUNTS[0], money("5"), "", "test")
        ledger.post(session, paid, NOW, SETTINGS.low_balance)
        for name in ACCOUNTS[:2]:
            hold(session, name, HoldReason.EXHAUSTED, NOW)

    await many.write(fill)
    await settling(many).settle()

    assert await frozen(many) == {ACCOUNTS[1]}


@pytest.mark.requirement("C8", "E4")
async def test_C8_given_a_process_that_dies_between_any_two_batches_when_settled_again_then_all_pay_once(
    many: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = ACCOUNTS[:30]
    await many.write(lambda session: add_calls(session, calls_of(called)))

    died = await dying_ever_later(
        many, monkeypatch, lambda: settling(many, batch=10, posted_at_once=4).settle()
    )

    # Each of: one that opens it, three that rate, eight that charge, eight that look at the frozen ones.
    assert died > 12
    assert Counter(row.account_id for row in await transfers(many)) == Counter(called)
    assert {str(row.amount) for row in await transfers(many)} == {"0.1800"}
    assert await frozen(many) == set(called)


@pytest.mark.requirement("C8", "E6")
async def test_C8_given_hundreds_of_numbers_when_a_month_begins_then_no_transaction_is_long(
    many: Database,
) -> None:
    def fill(session: Session) -> None:
        add_numbers(session, ACCOUNTS[0], 150)
        for name in ACCOUNTS[1:101]:
            add_numbers(session, name, 1)

    await many.write(fill)
    low = SETTINGS.low_balance
    with counted(each_row=True) as statements:
        charged = await charge_all_rents(many, FIRST_OF_DECEMBER, CALENDAR, low, pause=0)
    assert charged == 250
    assert max(statements) <= MOST_STATEMENTS

    with counted(each_row=True) as statements:
        later = FIRST_OF_DECEMBER + timedelta(hours=1)
        assert await charge_all_rents(many, later, CALENDAR, low, pause=0) == 0
    assert statements == []
    balance = await many.read(lambda session: ledger.balance(session, ACCOUNTS[0]))
    assert balance == -150 * SETTINGS.number_price


@pytest.mark.requirement("C8", "E4")
async def test_C8_given_a_process_that_dies_between_any_two_batches_when_rents_are_due_then_each_is_paid_once(
    many: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(session: Session) -> None:
        for name in ACCOUNTS[:10]:
            add_numbers(session, name, 5)

    await many.write(fill)

    def run() -> Coroutine[Any, Any, int]:
        return charge_all_rents(many, FIRST_OF_DECEMBER, CALENDAR, SETTINGS.low_balance, batch=4, pause=0)

    # Each goes on where the one before died, with one batch more: 1 + 2 + 3 + 4 of 13, and the fifth has 3.
    assert await dying_ever_later(many, monkeypatch, run) == 4
    assert Counter(row.account_id for row in await transfers(many)) == Counter(ACCOUNTS[:10] * 5)
    assert await frozen(many) == set(ACCOUNTS[:10])


@pytest.mark.requirement("C8")
async def test_C8_given_two_controllers_when_they_charge_rents_at_once_then_each_number_pays_once(
    many: Database, database_url: str
) -> None:
    await many.write(lambda session: add_numbers(session, ACCOUNTS[0], 60))
    async with Database(database_url, synchronous="NORMAL") as second:
        charged = await asyncio.gather(
            *(
                charge_all_rents(each, FIRST_OF_DECEMBER, CALENDAR, SETTINGS.low_balance, batch=7, pause=0.01)
                for each in (many, second)
            )
        )

    assert sum(charged) == len(await transfers(many)) == 60


@pytest.mark.requirement("C8")
async def test_C8_given_a_number_that_is_given_away_meanwhile_when_its_rent_is_charged_then_who_has_it_pays(
    many: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many.write(lambda session: add_numbers(session, ACCOUNTS[0], 1))
    read = many.read

    async def then_moved(work: Any) -> Any:
        found = await read(work)

        def move(session: Session) -> None:
            for row in session.exec(select(Number).where(Number.account_id == ACCOUNTS[0])):
                row.account_id = ACCOUNTS[1]

        await many.write(move)
        return found

    monkeypatch.setattr(many, "read", then_moved)
    await charge_all_rents(many, FIRST_OF_DECEMBER, CALENDAR, SETTINGS.low_balance)
    monkeypatch.undo()

    assert [row.account_id for row in await transfers(many)] == [ACCOUNTS[1]]


class AnyTerms:
    """No account has a cap."""

    revision = 1

    def cap_of(self, _account_id: str) -> Decimal | None:
        return None

    def must_end(self) -> list[str | None]:
        return []


@pytest.mark.engine("postgresql")
@pytest.mark.requirement("C8", "E6")
async def test_C8_given_accounts_that_were_active_when_told_each_second_then_only_what_changed_is_written(
    many: Database,
) -> None:
    clock = SetClock()
    here = Spending(clock, CALENDAR, AnyTerms(), lambda _number: False, controller="a")
    here.start_from({name: money("2") for name in ACCOUNTS})
    await many.write(here.exchange)
    with counted(each_row=True) as statements:
        await many.write(here.exchange)
        here.start_from({ACCOUNTS[3]: money("1")})
        await many.write(here.exchange)

    # What was noted, what is noted of others, and what is forgotten; then one row.
    beginning = statements[0]
    assert beginning < 6
    assert statements == [beginning, beginning + 1]
    there = Spending(clock, CALENDAR, AnyTerms(), lambda _number: False, controller="b")
    others = await many.write(there.exchange)
    assert others == {name: money("3" if name == ACCOUNTS[3] else "2") for name in ACCOUNTS}
    # Another day begins with nothing.
    clock.pass_(days=1)
    here.overdrawn()
    await many.write(here.exchange)
    assert await many.write(there.exchange) == {}
    assert from_units(0) == here.spent(ACCOUNTS[3]).total

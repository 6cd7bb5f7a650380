"""Rent: each number once a month, on the 1st and on the day of its allotment, in the zone of the bills."""

from datetime import UTC, datetime, timedelta

import pytest
from service.billing.support import SETTINGS, add_account, money, prepare
from sqlmodel import Session, select
from unit.calls.support import ACCOUNT

from controller.billing import ledger
from controller.billing.calendar import Calendar
from controller.billing.prices import OwnTariff, set_price
from controller.billing.rent import charge_rents
from controller.store import ledger as rows
from controller.store.database import Database
from controller.store.tables import Account, Number, NumberState

CALENDAR = Calendar(SETTINGS.zone_info)
NOVEMBER = datetime(2026, 11, 10, tzinfo=UTC)
FIRST, SECOND = "+8657126880001", "+8657126880002"


def allot(
    session: Session, number: str, account: str = ACCOUNT, state: NumberState = NumberState.ACTIVE
) -> None:
    session.add(Number(number=number, account_id=account, state=state))
    session.flush()


def charged(session: Session, now: datetime) -> list[tuple[str, str]]:
    before = {row.id for row in rows.transfers(session, ACCOUNT)}
    for account_id in session.exec(select(Account.id)).all():
        charge_rents(session, now, CALENDAR, SETTINGS.low_balance, account_id)
    return [(row.text, str(row.amount)) for row in rows.transfers(session, ACCOUNT) if row.id not in before]


@pytest.mark.requirement("C8")
async def test_C8_given_numbers_when_months_go_by_then_each_is_charged_on_allotment_and_on_the_1st(
    database: Database,
) -> None:
    midnight = datetime(2026, 11, 30, 16, 0, tzinfo=UTC)  # of 1 December in Shanghai

    def run(session: Session) -> list[list[tuple[str, str]]]:
        prepare(session)
        allot(session, FIRST)
        seen = [charged(session, NOVEMBER), charged(session, NOVEMBER + timedelta(hours=1))]
        allot(session, SECOND)
        seen.append(charged(session, NOVEMBER + timedelta(days=20)))
        seen.append(charged(session, midnight - timedelta(seconds=1)))
        seen.append(charged(session, midnight))
        seen.append(charged(session, midnight + timedelta(days=1)))
        return seen

    assert await database.write(run) == [
        [(f"{FIRST}, 2026-11", "30.0000")],
        [],
        [(f"{SECOND}, 2026-11", "30.0000")],
        [],
        [(f"{FIRST}, 2026-12", "30.0000"), (f"{SECOND}, 2026-12", "30.0000")],
        [],
    ]


@pytest.mark.requirement("C8")
async def test_C8_given_a_rent_that_was_charged_when_its_price_changes_then_it_is_not_charged_again(
    database: Database,
) -> None:
    def run(session: Session) -> list[list[tuple[str, str]]]:
        prepare(session)
        allot(session, FIRST)
        seen = [charged(session, NOVEMBER)]
        set_price(session, ACCOUNT, OwnTariff(None, money("25.5")), NOVEMBER + timedelta(days=1))
        seen.append(charged(session, NOVEMBER + timedelta(days=2)))
        seen.append(charged(session, NOVEMBER + timedelta(days=30)))
        return seen

    assert await database.write(run) == [
        [(f"{FIRST}, 2026-11", "30.0000")],
        [],
        [(f"{FIRST}, 2026-12", "25.5000")],
    ]


@pytest.mark.requirement("C8")
async def test_C8_given_a_number_that_moves_to_another_account_when_charged_then_each_pays_its_own(
    database: Database,
) -> None:
    def run(session: Session) -> list[str]:
        prepare(session)
        add_account(session, "other")
        add_account(session, "free", prepaid=False)
        allot(session, FIRST)
        allot(session, SECOND, "free")
        charged(session, NOVEMBER)
        number = session.get(Number, FIRST)
        assert number is not None
        number.account_id = "other"
        session.flush()
        charged(session, NOVEMBER + timedelta(days=1))
        return [str(ledger.balance(session, account)) for account in (ACCOUNT, "other", "free")]

    assert await database.write(run) == ["-30.0000", "-30.0000", "0.0000"]


@pytest.mark.requirement("C4", "C8")
@pytest.mark.parametrize(
    ("state", "times"),
    [
        (NumberState.ORDERED, 0),
        (NumberState.ACTIVE, 1),
        (NumberState.SUSPENDED, 1),
        (NumberState.RELEASED, 0),
    ],
)
async def test_C8_given_a_number_when_rent_is_due_then_it_is_for_numbers_that_the_account_has(
    database: Database, state: NumberState, times: int
) -> None:
    def run(session: Session) -> list[tuple[str, str]]:
        prepare(session)
        allot(session, FIRST, state=state)
        return charged(session, NOVEMBER)

    assert len(await database.write(run)) == times

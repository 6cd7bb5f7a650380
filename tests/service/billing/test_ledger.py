"""The ledger: balanced, immutable, posted once; freeze and thaw."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from engine import database_at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service.billing.support import NOW, SETTINGS, add_account, money, prepare
from sqlalchemy import delete, text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select
from unit.calls.support import ACCOUNT

from controller.billing import ledger
from controller.billing.errors import AccountMissing, BillingError, NotPostable, ReferenceUsed
from controller.billing.ledger import Kind, Posting, correction, top_up
from controller.store import alarms
from controller.store import ledger as rows
from controller.store.billing_tables import Hold, LedgerTransfer
from controller.store.database import Database
from controller.store.engines import make_engine
from controller.store.tables import Revision

LOW = SETTINGS.low_balance
AMOUNTS = st.integers(-(10**9), 10**9).filter(bool).map(lambda units: Decimal(units).scaleb(-4))
POSTINGS = st.lists(
    st.tuples(st.sampled_from([ACCOUNT, "other"]), st.sampled_from(list(Kind)), AMOUNTS, st.integers(0, 20)),
    max_size=30,
)


def post(session: Session, posting: Posting) -> ledger.Posted:
    return ledger.post(session, posting, NOW, LOW)


def kinds(session: Session, account: str | None = None) -> list[str]:
    return [alarm.kind for alarm in reversed(alarms.alarms_page(session, account, 100))]


def frozen(session: Session) -> bool:
    return session.get(Hold, (ACCOUNT, "exhausted")) is not None


@pytest.mark.requirement("C8")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(POSTINGS)
def test_C8_given_any_postings_when_added_up_then_the_books_balance_and_each_stands_once(
    template: Path, postings: list[tuple[str, Kind, Decimal, int]]
) -> None:
    engine = make_engine(database_at(template))
    expected: dict[str, Decimal] = {ACCOUNT: Decimal(0), "other": Decimal(0)}
    seen: dict[str, tuple[str, Kind, Decimal]] = {}
    with Session(engine) as session:
        prepare(session)
        add_account(session, "other")
        for account, kind, amount, number in postings:
            reference = f"r{number}"
            wish = (account, kind, amount)
            if seen.setdefault(reference, wish) != wish:
                with pytest.raises(ReferenceUsed):
                    post(session, Posting(*wish, "", reference))
                continue
            posted = post(session, Posting(*wish, "", reference))
            if posted.is_new:
                expected[account] += amount
            assert posted.balance == expected[account]

        assert sum((balance.amount for balance in rows.balances(session)), Decimal(0)) == 0
        for account, balance in expected.items():
            assert ledger.balance(session, account) == balance
        session.rollback()
    engine.dispose()


@pytest.mark.requirement("C8")
@pytest.mark.parametrize(
    "change",
    [
        update(LedgerTransfer).values(amount=money("1")),
        delete(LedgerTransfer),
        text("UPDATE ledger_transfer SET text = 'x'"),
        text("UPDATE price SET minute = 0"),
        text("DELETE FROM price"),
    ],
)
async def test_C8_given_what_was_posted_when_anybody_changes_it_then_the_database_refuses(
    database: Database, change: object
) -> None:
    await database.write(prepare)
    await database.write(lambda session: post(session, top_up(ACCOUNT, money("50"), "", "x")))

    with pytest.raises(DBAPIError, match="is never changed"):
        await database.write(lambda session: session.execute(change))

    assert await database.read(lambda session: ledger.balance(session, ACCOUNT)) == 50


@pytest.mark.requirement("C8")
@pytest.mark.parametrize(
    ("column", "value"),
    [("amount", "0"), ("amount", "-1"), ("debit", "'prepaid'"), ("account_id", "'nobody'")],
)
async def test_C8_given_a_transaction_that_does_not_balance_when_written_then_the_database_refuses(
    database: Database, column: str, value: str
) -> None:
    values = {
        "account_id": f"'{ACCOUNT}'",
        "at": "'2026-11-24'",
        "kind": "'x'",
        "debit": "'payments'",
        "credit": "'prepaid'",
        "amount": "1",
        "text": "''",
        "reference": "'r'",
        "posted_by": "''",
    } | {column: value}
    statement = text(
        f"INSERT INTO ledger_transfer ({', '.join(values)}) VALUES ({', '.join(values.values())})"
    )

    with pytest.raises(DBAPIError, match="constraint"):
        await database.write(lambda session: session.execute(statement))


@pytest.mark.requirement("C8")
async def test_C8_given_a_payment_reported_twice_when_posted_then_it_counts_once(database: Database) -> None:
    await database.write(prepare)
    payment = top_up(ACCOUNT, money("50"), "bank", "x", "INV-1")

    first = await database.write(lambda session: post(session, payment))
    again = await database.write(lambda session: post(session, payment))

    assert (first.is_new, again.is_new) == (True, False)
    assert first.balance == again.balance == 50


@pytest.mark.requirement("C8")
@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (lambda: top_up("nobody", money("1"), "", "x"), AccountMissing),
        (lambda: top_up(ACCOUNT, money("0"), "", "x"), NotPostable),
        (lambda: top_up(ACCOUNT, money("-1"), "", "x"), NotPostable),
        (lambda: top_up(ACCOUNT, money("0.00001"), "", "x"), NotPostable),
        (lambda: top_up(ACCOUNT, money("1"), "x" * 201, "x"), NotPostable),
        (lambda: correction(ACCOUNT, money("0"), "why", "x"), NotPostable),
        (lambda: correction(ACCOUNT, money("1"), " ", "x"), NotPostable),
    ],
)
async def test_C8_given_a_faulty_wish_when_posted_then_it_is_named_and_nothing_is_posted(
    database: Database, wish: Callable[[], Posting], error: type[BillingError]
) -> None:
    with pytest.raises(error):
        await database.write(lambda session: post(session, wish()))

    assert await database.read(lambda session: session.exec(select(LedgerTransfer)).all()) == []


@pytest.mark.requirement("C8")
async def test_C8_given_a_prepaid_account_when_it_is_used_up_then_it_is_told_frozen_and_thawed(
    database: Database,
) -> None:
    def run(session: Session) -> list[object]:
        prepare(session)
        seen: list[object] = []
        for wish in (
            top_up(ACCOUNT, money("30"), "", "x"),
            Posting(ACCOUNT, Kind.CALLS, money("-9.9999"), "", "c1"),
            Posting(ACCOUNT, Kind.CALLS, money("-0.0002"), "", "c2"),  # falls below 20
            Posting(ACCOUNT, Kind.CALLS, money("-5"), "", "c3"),  # is below already
            Posting(ACCOUNT, Kind.CALLS, money("-14.9999"), "", "c4"),  # nothing left
            Posting(ACCOUNT, Kind.CALLS, money("-3"), "", "c5"),
            top_up(ACCOUNT, money("3"), "", "x"),
            top_up(ACCOUNT, money("0.0001"), "", "x"),
        ):
            left = post(session, wish).balance
            seen.append((str(left), frozen(session)))
        seen.append(kinds(session, ACCOUNT))
        return seen

    assert await database.write(run) == [
        ("30.0000", False),
        ("20.0001", False),
        ("19.9999", False),
        ("14.9999", False),
        ("0.0000", True),
        ("-3.0000", True),
        ("0.0000", True),
        ("0.0001", False),
        ["low balance", "frozen", "thawed"],
    ]


@pytest.mark.requirement("C8")
async def test_C8_given_an_account_that_is_not_prepaid_when_judged_then_it_is_never_frozen(
    database: Database,
) -> None:
    def run(session: Session) -> tuple[bool, list[str]]:
        prepare(session, prepaid=False)
        post(session, correction(ACCOUNT, money("-100"), "an old debt", "x"))
        ledger.review(session, ACCOUNT, NOW)
        return frozen(session), kinds(session)

    assert await database.write(run) == (False, [])


@pytest.mark.requirement("C8")
async def test_C8_given_an_account_that_becomes_prepaid_with_nothing_paid_when_judged_then_it_is_frozen(
    database: Database,
) -> None:
    def run(session: Session) -> tuple[bool, int, int]:
        prepare(session)
        before = _revision(session)
        ledger.review(session, ACCOUNT, NOW)
        ledger.review(session, ACCOUNT, NOW + timedelta(hours=1))
        return frozen(session), _revision(session) - before, len(kinds(session))

    assert await database.write(run) == (True, 1, 1)


def _revision(session: Session) -> int:
    session.flush()
    row = session.get(Revision, "directory")
    return row.number if row else 0

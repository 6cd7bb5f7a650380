"""Statements: months in the zone of the bills, balances that add up, CSV that no spreadsheet misreads."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from service.billing.support import NOW, SETTINGS, Made, SetClock, add_calls, money, prepare
from sqlmodel import Session
from unit.calls.support import ACCOUNT

from controller.billing import ledger, statements
from controller.billing.calendar import Calendar
from controller.billing.errors import AccountMissing, NoMonth
from controller.billing.ledger import Kind, Posting, correction, top_up
from controller.billing.settlement import Settling
from controller.billing.statements import rated_calls_csv, statement_csv, statement_of
from controller.store.database import Database

CALENDAR = Calendar(SETTINGS.zone_info)
DECEMBER = datetime(2026, 11, 30, 16, tzinfo=UTC)
"""Where it begins in Shanghai."""


def post_all(session: Session) -> None:
    prepare(session)
    for at, posting in (
        (DECEMBER - timedelta(days=31), top_up(ACCOUNT, money("10"), "", "x", "in-october")),
        (NOW, top_up(ACCOUNT, money("100"), "=1+1", "x", "INV-1")),
        (NOW, Posting(ACCOUNT, Kind.CALLS, money("-0.0065"), "3 calls", "calls:1")),
        (DECEMBER - timedelta(seconds=1), correction(ACCOUNT, money("-5.5"), "a, b", "x", "k")),
        (DECEMBER, Posting(ACCOUNT, Kind.RENT, money("-30"), "number", "rent:1")),
    ):
        ledger.post(session, posting, at, SETTINGS.low_balance)


@pytest.mark.requirement("C8")
async def test_C8_given_a_month_when_its_statement_is_made_then_it_has_its_lines_and_adds_up(
    database: Database,
) -> None:
    await database.write(post_all)

    made = await database.read(lambda session: statement_of(session, ACCOUNT, "2026-11", CALENDAR, "CNY"))
    following = await database.read(
        lambda session: statement_of(session, ACCOUNT, "2026-12", CALENDAR, "CNY")
    )
    empty = await database.read(lambda session: statement_of(session, ACCOUNT, "2027-01", CALENDAR, "CNY"))

    assert [(line.kind, str(line.amount), str(line.balance)) for line in made.lines] == [
        ("top-up", "100.0000", "110.0000"),
        ("calls", "-0.0065", "109.9935"),
        ("correction", "-5.5000", "104.4935"),
    ]
    assert made.opening == 10
    assert made.closing == following.opening == money("104.4935")
    assert made.totals == {"top-up": 100, "calls": money("-0.0065"), "correction": money("-5.5")}
    assert [line.kind for line in following.lines] == ["rent"]
    assert (empty.lines, empty.closing) == ((), following.closing)


@pytest.mark.requirement("C8")
async def test_C8_given_a_statement_when_written_as_csv_then_amounts_are_exact_and_texts_are_no_formulas(
    database: Database,
) -> None:
    await database.write(post_all)
    made = await database.read(lambda session: statement_of(session, ACCOUNT, "2026-11", CALENDAR, "CNY"))

    lines = list(csv.DictReader(io.StringIO(statement_csv(made, CALENDAR))))

    assert [line["kind"] for line in lines] == ["opening", "top-up", "calls", "correction", "closing"]
    assert lines[1]["text"] == "'=1+1"
    assert lines[3]["text"] == "a, b"
    assert (lines[0]["time"], lines[-1]["time"]) == ("2026-11-01T00:00:00+08:00", "2026-12-01T00:00:00+08:00")
    amounts = sum((Decimal(line["amount"]) for line in lines[1:-1]), Decimal(lines[0]["balance"]))
    assert amounts == Decimal(lines[-1]["balance"]) == made.closing


@pytest.mark.requirement("C8")
async def test_C8_given_many_calls_when_their_costs_are_written_then_each_is_there_once_and_in_order(
    database: Database,
) -> None:
    await database.write(prepare)
    ends = [NOW - timedelta(hours=2) + timedelta(seconds=number // 3) for number in range(1200)]
    calls = [Made(f"c{number:04}", at, first=61) for number, at in enumerate(ends)]
    await database.write(lambda session: add_calls(session, calls))
    await Settling(database, SetClock(), SETTINGS, lambda _number: False, batch=500, pause=0).settle()

    pieces = [piece async for piece in await rated_calls_csv(database, ACCOUNT, "2026-11", CALENDAR)]
    none = [piece async for piece in await rated_calls_csv(database, ACCOUNT, "2026-12", CALENDAR)]

    lines = list(csv.DictReader(io.StringIO("".join(pieces))))
    assert [line["call"] for line in lines] == [call.id for call in calls]
    assert {(line["minutes"], line["amount"]) for line in lines} == {("2", "0.36")}
    # The header, and what is read at once at most.
    assert [piece.count("\r\n") for piece in pieces] == [1, 500, 500, 200]
    assert "".join(none).splitlines() == ["ended,call,app,service,legs,seconds,minutes,minute price,amount"]


@pytest.mark.requirement("C8")
async def test_C8_given_calls_that_end_in_the_same_moment_when_their_costs_are_read_then_none_is_left_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "_AT_ONCE", 2)
    await database.write(prepare)
    calls = [Made(f"c{number}", NOW - timedelta(hours=2), first=61) for number in range(7)]
    await database.write(lambda session: add_calls(session, calls))
    await Settling(database, SetClock(), SETTINGS, lambda _number: False, pause=0).settle()

    pieces = [piece async for piece in await rated_calls_csv(database, ACCOUNT, "2026-11", CALENDAR)]

    lines = csv.DictReader(io.StringIO("".join(pieces)))
    assert [line["call"] for line in lines] == [call.id for call in calls]


@pytest.mark.requirement("C8")
@pytest.mark.parametrize("month", ["2026", "2026-13", "next", "2026-11-01"])
async def test_C8_given_what_is_no_month_when_a_statement_is_asked_for_then_that_is_said(
    database: Database, month: str
) -> None:
    with pytest.raises(NoMonth, match="is not a month"):
        await database.read(lambda session: statement_of(session, ACCOUNT, month, CALENDAR, "CNY"))


@pytest.mark.requirement("C8")
async def test_C8_given_no_such_account_when_a_statement_is_asked_for_then_that_is_said(
    database: Database,
) -> None:
    with pytest.raises(AccountMissing):
        await database.read(lambda session: statement_of(session, "nobody", "2026-11", CALENDAR, "CNY"))

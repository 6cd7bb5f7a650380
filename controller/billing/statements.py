"""Statements: what was posted in a month, with balances; for people, programs and spreadsheets."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session

from controller.billing import ledger
from controller.billing.calendar import Calendar
from controller.billing.errors import AccountMissing, NoMonth
from controller.rules.amounts import amount_text, from_units
from controller.rules.spreadsheet import cell
from controller.store import ledger as rows
from controller.store import ratings
from controller.store.billing_tables import RatedCall
from controller.store.database import Database
from controller.store.tables import Account

_AT_ONCE = 500


@dataclass(frozen=True)
class Line:
    """One transaction as the customer sees it: `amount` is what it did to the balance."""

    id: int
    at: datetime
    kind: str
    text: str
    amount: Decimal
    balance: Decimal
    reference: str
    settlement_id: int | None
    """Of calls: the settlement that rated them."""


@dataclass(frozen=True)
class Statement:
    """A month of an account. `opening`, all amounts of `lines` and `closing` add up."""

    account_id: str
    month: str
    begins: datetime
    ends: datetime
    currency: str
    opening: Decimal
    lines: tuple[Line, ...]

    @property
    def closing(self) -> Decimal:
        return self.lines[-1].balance if self.lines else self.opening

    @property
    def totals(self) -> dict[str, Decimal]:
        """What each kind of transaction comes to."""
        sums: dict[str, Decimal] = {}
        for line in self.lines:
            sums[line.kind] = sums.get(line.kind, from_units(0)) + line.amount
        return sums


def statement_of(
    session: Session, account_id: str, month: str, calendar: Calendar, currency: str
) -> Statement:
    """The statement of a month such as `2026-11`. Raises AccountMissing, NoMonth."""
    begins, ends = _span(session, account_id, month, calendar)
    opening = left = ledger.balance(session, account_id, before=begins)
    lines: list[Line] = []
    for transfer in rows.transfers(session, account_id, since=begins, until=ends):
        assert transfer.id is not None
        amount = ledger.signed(transfer)
        left += amount
        lines.append(
            Line(
                transfer.id,
                transfer.at,
                transfer.kind,
                transfer.text,
                amount,
                left,
                transfer.reference,
                transfer.settlement_id,
            )
        )
    return Statement(account_id, month, begins, ends, currency, opening, tuple(lines))


def statement_csv(statement: Statement, calendar: Calendar) -> str:
    """A statement for a spreadsheet (RFC 4180); times are in the zone of the bills."""
    out = io.StringIO()
    write = csv.writer(out).writerow
    write(["time", "kind", "text", "amount", "balance", "currency", "reference"])
    opens = statement.begins.astimezone(calendar.zone).isoformat(timespec="seconds")
    write([opens, "opening", "", "", amount_text(statement.opening), statement.currency, ""])
    for line in statement.lines:
        at = line.at.astimezone(calendar.zone).isoformat(timespec="seconds")
        amounts = (amount_text(line.amount), amount_text(line.balance), statement.currency)
        write([at, line.kind, cell(line.text), *amounts, cell(line.reference)])
    closes = statement.ends.astimezone(calendar.zone).isoformat(timespec="seconds")
    write([closes, "closing", "", "", amount_text(statement.closing), statement.currency, ""])
    return out.getvalue()


async def rated_calls_csv(
    database: Database, account_id: str, month: str, calendar: Calendar
) -> AsyncIterator[str]:
    """What each call of a month cost, piece by piece; what was not settled yet is missing.

    Each piece is read when it is asked for, so that neither memory nor a transaction grows with the month.
    Raises AccountMissing, NoMonth, before there is a piece.
    """
    begins, ends = await database.read(lambda session: _span(session, account_id, month, calendar))
    return _pieces(database, account_id, begins, ends, calendar)


async def _pieces(
    database: Database, account_id: str, begins: datetime, ends: datetime, calendar: Calendar
) -> AsyncIterator[str]:
    yield _lines(
        [("ended", "call", "app", "service", "legs", "seconds", "minutes", "minute price", "amount")]
    )
    after = (begins, "")

    def following(session: Session) -> Sequence[RatedCall]:
        return ratings.rated_calls(session, account_id, ends, after, _AT_ONCE)

    while found := await database.read(following):
        after = (found[-1].ended_at, found[-1].call_id)
        yield _lines(_cells(call, calendar) for call in found)


def _cells(call: RatedCall, calendar: Calendar) -> tuple[object, ...]:
    ended = call.ended_at.astimezone(calendar.zone).isoformat(timespec="seconds")
    counts = (call.legs, call.seconds, call.minutes)
    prices = (amount_text(call.minute_price), amount_text(call.amount))
    return (ended, cell(call.call_id), cell(call.app_key), call.service, *counts, *prices)


def _lines(table: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(table)
    return out.getvalue()


def _span(session: Session, account_id: str, month: str, calendar: Calendar) -> tuple[datetime, datetime]:
    if session.get(Account, account_id) is None:
        raise AccountMissing(f"there is no account {account_id}")
    try:
        return calendar.span_of_month(month)
    except ValueError as error:
        raise NoMonth(str(error)) from None

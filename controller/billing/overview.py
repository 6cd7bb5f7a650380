"""How accounts stand: balance, what they have spent today, what holds them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlmodel import Session, col, select

from controller.billing import ledger
from controller.billing.calendar import Calendar
from controller.billing.prices import PriceBook, Tariff, read_prices
from controller.billing.rating import MINUTE, decode_record, rate
from controller.rules.amounts import from_units
from controller.store import ratings as rows
from controller.store.holds import holds
from controller.store.tables import Account

_AT_ONCE = 1000
"""Records read in one go."""


@dataclass(frozen=True)
class Standing:
    """How an account stands. `spent` are today's calls that have ended, settled or not."""

    account_id: str
    name: str
    prepaid: bool
    balance: Decimal
    tariff: Tariff
    spent: Decimal
    held: tuple[str, ...]


def standings(
    session: Session, now: datetime, calendar: Calendar, is_free: Callable[[str], bool]
) -> list[Standing]:
    """All accounts."""
    book = read_prices(session)
    spent = spent_today(session, now, calendar, is_free)
    held: dict[str, list[str]] = {}
    for hold in holds(session):
        held.setdefault(hold.scope, []).append(hold.reason)
    return [
        Standing(
            account.id,
            account.name,
            account.prepaid,
            ledger.balance(session, account.id),
            book.at(account.id, now),
            spent.get(account.id, from_units(0)),
            tuple(held.get(account.id, ())),
        )
        for account in session.exec(select(Account).order_by(col(Account.id)))
    ]


def spent_today(
    session: Session,
    now: datetime,
    calendar: Calendar,
    is_free: Callable[[str], bool],
    minute: timedelta = MINUTE,
) -> Mapping[str, Decimal]:
    """What each account's calls come to that have ended today, rated or not yet."""
    begin, end = calendar.span_of_day(now)
    spent = {
        total.account_id: total.amount for total in rows.totals_of_day(session, calendar.day(now).isoformat())
    }
    book = read_prices(session)
    for call in rows.all_unrated_calls(session, begin, end, _AT_ONCE):
        account_id, amount = _cost(book, call.record, is_free, minute)
        spent[account_id] = spent.get(account_id, from_units(0)) + amount
    return spent


def _cost(
    book: PriceBook, stored: str, is_free: Callable[[str], bool], minute: timedelta
) -> tuple[str, Decimal]:
    record = decode_record(stored)

    def price(at: datetime) -> Decimal:
        return book.at(record.account_id, at).minute

    return record.account_id, rate(record.legs, record.ended_at, price, is_free, minute).amount

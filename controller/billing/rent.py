"""The rent of numbers: each once a month, on the 1st or, in its first month, on the day of its allotment.

A number whose month has no charge yet is charged: on the 1st that is each one, and later in a month a new
one, in the transaction that allots it, or right after that of a declaration, which may allot thousands. A
month in which no controller ran at all is not charged.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session

from controller.billing import ledger
from controller.billing.batches import PAUSE, POSTED_AT_ONCE, write_in_batches
from controller.billing.calendar import Calendar
from controller.billing.ledger import Kind, Posting
from controller.billing.prices import PriceBook, read_prices
from controller.store import ratings as rows
from controller.store.database import Database
from controller.store.ledger import posted_references


async def charge_all_rents(
    database: Database,
    now: datetime,
    calendar: Calendar,
    low_balance: Decimal,
    batch: int = POSTED_AT_ONCE,
    pause: float = PAUSE,
    accounts: Collection[str] | None = None,
) -> int:
    """Charge what is due of these accounts, or of all; returns how many numbers were charged.

    A batch of numbers is a transaction, and between two are so many seconds in which others may write. What
    was charged before a crash is not due at the next run.
    """

    def look(session: Session) -> tuple[PriceBook, list[str]]:
        book = read_prices(session)
        rented = [
            (owner, number)
            for owner, number in rows.rented_numbers(session)
            if accounts is None or owner in accounts
        ]
        due = _due(session, now, calendar, book, rented)
        return book, [number for number, _posting in due]

    def charge(session: Session, numbers: Sequence[str]) -> int:
        # Seen once more: what was read before this transaction may not be so any longer.
        rented = rows.rented_numbers(session, numbers=numbers)
        return _charge(session, now, low_balance, _due(session, now, calendar, book, rented))

    book, due = await database.read(look)
    return await write_in_batches(database, due, charge, batch, pause)


def charge_rents(
    session: Session, now: datetime, calendar: Calendar, low_balance: Decimal, account_id: str
) -> int:
    """Charge what is due of an account; returns how many numbers were charged."""
    rented = rows.rented_numbers(session, account_id)
    return _charge(session, now, low_balance, _due(session, now, calendar, read_prices(session), rented))


def _due(
    session: Session, now: datetime, calendar: Calendar, book: PriceBook, rented: list[tuple[str, str]]
) -> list[tuple[str, Posting]]:
    """The numbers, of these (account, number), whose month costs something and has no charge yet."""
    month = calendar.month(now)
    due = []
    for owner, number in rented:
        if rent := book.at(owner, now).number_month:
            reference = f"rent:{month}:{owner}:{number}"
            due.append((number, Posting(owner, Kind.RENT, -rent, f"{number}, {month}", reference)))
    # What was charged is not looked at again: the price may have changed since.
    posted = posted_references(session, [posting.reference for _number, posting in due])
    return [(number, posting) for number, posting in due if posting.reference not in posted]


def _charge(session: Session, now: datetime, low_balance: Decimal, due: Sequence[tuple[str, Posting]]) -> int:
    left: dict[str, Decimal] = {}
    charged = 0
    for _number, posting in due:
        # The balance is what all transactions add up to: added up once for each account, not each number.
        posted = ledger.post(session, posting, now, low_balance, balance_before=left.get(posting.account_id))
        left[posting.account_id] = posted.balance
        charged += posted.is_new
    return charged

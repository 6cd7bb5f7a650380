"""The rent of numbers: each once a month, on the 1st or, in its first month, on the day of its allotment.

A number whose month has no charge yet is charged: on the 1st that is each one, and later in a month a new
one, in the transaction that allots it. A month in which no controller ran at all is not charged.
"""

from datetime import datetime
from decimal import Decimal

from sqlmodel import Session

from controller.billing import ledger
from controller.billing.calendar import Calendar
from controller.billing.prices import read_prices
from controller.store import ratings as rows


def charge_rents(
    session: Session,
    now: datetime,
    calendar: Calendar,
    low_balance: Decimal,
    account_id: str | None = None,
) -> int:
    """Charge what is due, of this account or all; returns how many numbers were charged."""
    book = read_prices(session)
    month = calendar.month(now)
    # What was charged is not looked at again: the price may have changed since.
    posted = rows.rent_references(session, month)
    charged = 0
    for owner, number in rows.rented_numbers(session, account_id):
        rent = book.at(owner, now).number_month
        reference = f"rent:{month}:{owner}:{number}"
        if rent == 0 or reference in posted:
            continue
        posting = ledger.Posting(owner, ledger.Kind.RENT, -rent, f"{number}, {month}", reference)
        charged += ledger.post(session, posting, now, low_balance).is_new
    return charged

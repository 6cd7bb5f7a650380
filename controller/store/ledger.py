"""The ledger's rows: transfers, what they add up to, and a page of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import case, func, select
from sqlmodel import Session, col

from controller.rules.amounts import from_units
from controller.store.billing_tables import LedgerTransfer
from controller.store.many import pieces

ZERO = from_units(0)


def transfer_with(session: Session, reference: str) -> LedgerTransfer | None:
    """The transfer that was posted with this reference."""
    return session.execute(
        select(LedgerTransfer).where(col(LedgerTransfer.reference) == reference)
    ).scalar_one_or_none()


def posted_references(session: Session, references: Sequence[str]) -> set[str]:
    """Those of the references with which something was posted."""
    posted: set[str] = set()
    for some in pieces(references):
        # Each is looked up in the index; by what they begin with they could only be found in all the rows.
        wanted = col(LedgerTransfer.reference).in_(some)
        posted.update(session.execute(select(col(LedgerTransfer.reference)).where(wanted)).scalars())
    return posted


def balance_of(session: Session, account_id: str, side: str, *, before: datetime | None = None) -> Decimal:
    """Credits less debits of one ledger account of a customer, of all time or before a moment."""
    wanted = select(func.sum(_signed(side))).where(col(LedgerTransfer.account_id) == account_id, _of(side))
    if before is not None:
        wanted = wanted.where(col(LedgerTransfer.at) < before)
    found: Decimal | None = session.execute(wanted).scalar_one()
    return ZERO if found is None else found


def balances_of(session: Session, accounts: Iterable[str], side: str) -> dict[str, Decimal]:
    """Credits less debits of one ledger account of each of these customers that has any."""
    account_id = col(LedgerTransfer.account_id)
    found: dict[str, Decimal] = {}
    for some in pieces(accounts):
        wanted = select(account_id, func.sum(_signed(side))).where(account_id.in_(some), _of(side))
        found.update((account, left) for account, left in session.execute(wanted.group_by(account_id)))
    return found


def _signed(side: str) -> Any:
    amount = col(LedgerTransfer.amount)
    return case((col(LedgerTransfer.credit) == side, amount), else_=-amount)


def _of(side: str) -> Any:
    return (col(LedgerTransfer.credit) == side) | (col(LedgerTransfer.debit) == side)


@dataclass(frozen=True)
class Balance:
    """What one ledger account has, of all customers: credits less debits."""

    side: str
    amount: Decimal


def balances(session: Session) -> list[Balance]:
    """Every ledger account; together they are nothing, or the books are wrong."""
    total = func.sum(col(LedgerTransfer.amount))
    sums: dict[str, Decimal] = {}
    for side, sign in ((col(LedgerTransfer.credit), 1), (col(LedgerTransfer.debit), -1)):
        for name, amount in session.execute(select(side, total).group_by(side)):
            sums[name] = sums.get(name, ZERO) + sign * amount
    return [Balance(name, amount) for name, amount in sorted(sums.items())]


def transfers(
    session: Session,
    account_id: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[LedgerTransfer]:
    """The transfers of a customer in a time, oldest first."""
    wanted = select(LedgerTransfer).where(col(LedgerTransfer.account_id) == account_id)
    if since is not None:
        wanted = wanted.where(col(LedgerTransfer.at) >= since)
    if until is not None:
        wanted = wanted.where(col(LedgerTransfer.at) < until)
    return session.execute(wanted.order_by(col(LedgerTransfer.id))).scalars().all()


def transfers_page(
    session: Session, account_id: str, limit: int, *, before: int | None = None
) -> Sequence[LedgerTransfer]:
    """The newest transfers of a customer; `before` is the id of the last one on the page before."""
    wanted = select(LedgerTransfer).where(col(LedgerTransfer.account_id) == account_id)
    if before is not None:
        wanted = wanted.where(col(LedgerTransfer.id) < before)
    return session.execute(wanted.order_by(col(LedgerTransfer.id).desc()).limit(limit)).scalars().all()

"""The double-entry ledger, and what follows from a customer's balance.

Each transaction is one row that names both of its sides, so that what is debited is what is credited: books
that don't balance can't be written down. Nothing is changed afterwards; a mistake is put right by another
transaction. The balance is what the rows add up to, and is kept nowhere.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from sqlmodel import Session

from controller.billing.errors import AccountMissing, NotPostable, ReferenceUsed
from controller.rules.amounts import amount_text, exact
from controller.store import ledger as rows
from controller.store.alarms import Raised, raise_alarms
from controller.store.billing_tables import HoldReason, LedgerTransfer
from controller.store.directory import accounts_named
from controller.store.holds import hold_all, release_all
from controller.store.tables import Account

_LONGEST_TEXT = 200


class Side(StrEnum):
    """The accounts of the ledger. A credit of `prepaid` is what we owe the customer in calls."""

    PREPAID = "prepaid"
    CALLS = "revenue of calls"
    RENT = "revenue of rent"
    PAYMENTS = "payments"
    CORRECTIONS = "corrections"


class Kind(StrEnum):
    """Why something is posted."""

    CALLS = "calls"
    RENT = "rent"
    TOP_UP = "top-up"
    CORRECTION = "correction"


_OTHER_SIDE = {
    Kind.CALLS: Side.CALLS,
    Kind.RENT: Side.RENT,
    Kind.TOP_UP: Side.PAYMENTS,
    Kind.CORRECTION: Side.CORRECTIONS,
}


@dataclass(frozen=True)
class Posting:
    """What shall be posted: `amount` is added to the customer's balance; taken from it if negative."""

    account_id: str
    kind: Kind
    amount: Decimal
    text: str
    reference: str
    posted_by: str = ""
    settlement_id: int | None = None


@dataclass(frozen=True)
class Posted:
    """A transaction that stands in the ledger, and the balance after all of them."""

    transfer: LedgerTransfer
    balance: Decimal
    is_new: bool
    """False if it stood there already."""


def balance(session: Session, account_id: str, *, before: datetime | None = None) -> Decimal:
    """What is left of what a customer has paid; at the end of all transactions, or before a moment."""
    return rows.balance_of(session, account_id, Side.PREPAID, before=before)


def post(
    session: Session,
    posting: Posting,
    now: datetime,
    low_balance: Decimal,
    *,
    balance_before: Decimal | None = None,
) -> Posted:
    """Post once, whatever happens: the same reference again changes nothing.

    Freezes the account when nothing is left, and thaws it when something is again. `balance_before` is the
    balance, if this transaction has found it out already. Raises AccountMissing, NotPostable, ReferenceUsed.
    """
    account = _account(session, posting.account_id)
    _check(posting)
    found = rows.transfer_with(session, posting.reference)
    if found is not None:
        if (found.account_id, found.kind, signed(found)) != (
            posting.account_id,
            posting.kind,
            posting.amount,
        ):
            raise ReferenceUsed(f"another transaction has the reference {posting.reference}")
        return Posted(found, balance(session, account.id), is_new=False)
    other = _OTHER_SIDE[posting.kind]
    gives = posting.amount > 0
    transfer = LedgerTransfer(
        account_id=account.id,
        at=now,
        kind=posting.kind,
        debit=other if gives else Side.PREPAID,
        credit=Side.PREPAID if gives else other,
        amount=abs(posting.amount),
        text=posting.text,
        reference=posting.reference,
        settlement_id=posting.settlement_id,
        posted_by=posting.posted_by,
    )
    session.add(transfer)
    session.flush()
    left = balance(session, account.id) if balance_before is None else balance_before + posting.amount
    _judge(session, [(account, left)], now)
    low = low_balance_of(account, low_balance)
    if account.prepaid and not gives and left < low <= left - posting.amount:
        _tell_low(session, account.id, left, transfer, now)
    return Posted(transfer, left, is_new=True)


def signed(transfer: LedgerTransfer) -> Decimal:
    """What a transaction does to the customer's balance."""
    return transfer.amount if transfer.credit == Side.PREPAID else -transfer.amount


def top_up(account_id: str, amount: Decimal, text: str, by: str, reference: str | None = None) -> Posting:
    """A payment of the customer; `reference` is the payer's or the bank's, so that it is posted once."""
    if amount <= 0:
        raise NotPostable("a top-up must be more than 0")
    own = f"top-up:{account_id}:{reference or secrets.token_hex(8)}"
    return Posting(account_id, Kind.TOP_UP, amount, text, own, by)


def correction(account_id: str, amount: Decimal, text: str, by: str, reference: str | None = None) -> Posting:
    """Something put right by hand, in favour of the customer or, if it is negative, against."""
    if not text.strip():
        raise NotPostable("a correction must say what it is for")
    own = f"correction:{account_id}:{reference or secrets.token_hex(8)}"
    return Posting(account_id, Kind.CORRECTION, amount, text, own, by)


def review(session: Session, account_id: str, now: datetime) -> None:
    """Bring into force what follows from the balance, for an account that nothing was posted to.

    Who changes whether an account is prepaid does so in that transaction. Raises AccountMissing.
    """
    account = _account(session, account_id)
    _judge(session, [(account, balance(session, account_id))], now)


def review_all(session: Session, accounts: Collection[str], now: datetime) -> None:
    """As `review`, for those of many accounts that there are, with few statements."""
    left = rows.balances_of(session, accounts, Side.PREPAID)
    there = accounts_named(session, accounts)
    _judge(session, [(account, left.get(account.id, rows.ZERO)) for account in there], now)


def low_balance_of(account: Account, shipped: Decimal) -> Decimal:
    """Below this balance the contacts of an account are told; `shipped`: unless it says otherwise."""
    own = (account.rules or {}).get("low_balance")
    return shipped if own is None else Decimal(own)


def _judge(session: Session, left: Sequence[tuple[Account, Decimal]], now: datetime) -> None:
    """Freeze those of the accounts that have used up their balance, and thaw the others."""
    has = {account.id: balance for account, balance in left}
    used_up = {account.id: account.prepaid and balance <= 0 for account, balance in left}
    frozen = hold_all(session, [name for name in has if used_up[name]], HoldReason.EXHAUSTED, now)
    thawed = release_all(session, [name for name in has if not used_up[name]], HoldReason.EXHAUSTED)
    raise_alarms(
        session,
        [
            Raised(name, kind, f"{kind}:{name}:{now.isoformat()}", now, {"balance": amount_text(has[name])})
            for kind, names in (("frozen", frozen), ("thawed", thawed))
            for name in names
        ],
    )


def _tell_low(
    session: Session, account_id: str, left: Decimal, transfer: LedgerTransfer, now: datetime
) -> None:
    detail = {"balance": amount_text(left)}
    reference = f"low balance:{account_id}:{transfer.id}"
    raise_alarms(session, [Raised(account_id, "low balance", reference, now, detail)])


def _account(session: Session, account_id: str) -> Account:
    found = session.get(Account, account_id)
    if found is None:
        raise AccountMissing(f"there is no account {account_id}")
    return found


def _check(posting: Posting) -> None:
    try:
        exact(posting.amount)
    except ValueError as error:
        raise NotPostable(f"the amount {error}") from None
    if posting.amount == 0:
        raise NotPostable("nothing is not posted")
    if len(posting.text) > _LONGEST_TEXT or len(posting.reference) > _LONGEST_TEXT:
        raise NotPostable(f"text and reference have at most {_LONGEST_TEXT} characters")

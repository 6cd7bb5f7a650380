"""The kill switch: no new calls of an account, or of anybody, until somebody says otherwise."""

from datetime import datetime

from sqlmodel import Session

from controller.billing.errors import AccountMissing
from controller.store.billing_tables import EVERYTHING, HoldReason
from controller.store.holds import hold, release
from controller.store.tables import Account


def stop_calls(
    session: Session, account_id: str | None, now: datetime, note: str, *, hang_up: bool = False
) -> bool:
    """Take no more calls; None: of anybody. False if that is so already. Raises AccountMissing.

    :param hang_up: whether calls under way are ended too.
    """
    return hold(session, _scope(session, account_id), HoldReason.STOPPED, now, note, ends_calls=hang_up)


def resume_calls(session: Session, account_id: str | None) -> bool:
    """Take calls again; False if they were not stopped. Raises AccountMissing."""
    return release(session, _scope(session, account_id), HoldReason.STOPPED)


def _scope(session: Session, account_id: str | None) -> str:
    if account_id is None:
        return EVERYTHING
    if session.get(Account, account_id) is None:
        raise AccountMissing(f"there is no account {account_id}")
    return account_id

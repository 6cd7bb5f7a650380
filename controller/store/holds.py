"""What keeps accounts, or the whole platform, from making calls."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from controller.store.billing_tables import Hold, HoldReason
from controller.store.directory import count_change


def holds(session: Session) -> Sequence[Hold]:
    """Everything that holds anybody."""
    return session.execute(select(Hold).order_by(col(Hold.scope), col(Hold.reason))).scalars().all()


def holds_of(session: Session, scope: str) -> Sequence[Hold]:
    """What holds an account, or EVERYTHING."""
    wanted = select(Hold).where(col(Hold.scope) == scope).order_by(col(Hold.reason))
    return session.execute(wanted).scalars().all()


def held(session: Session, reason: HoldReason) -> list[str]:
    """The scopes that are held for a reason."""
    wanted = select(col(Hold.scope)).where(col(Hold.reason) == reason).order_by(col(Hold.scope))
    return list(session.execute(wanted).scalars())


def hold(
    session: Session,
    scope: str,
    reason: HoldReason,
    now: datetime,
    note: str = "",
    *,
    ends_calls: bool = False,
) -> bool:
    """Have no calls made; False if that is so already, for this reason and in this way."""
    found = session.get(Hold, (scope, reason))
    if found is not None and found.ends_calls == ends_calls:
        return False
    if found is not None:
        session.delete(found)
        session.flush()
    session.add(Hold(scope=scope, reason=reason, since=now, note=note, ends_calls=ends_calls))
    count_change(session)
    return True


def release(session: Session, scope: str, reason: HoldReason) -> bool:
    """Take this reason away; False if it was not there."""
    found = session.get(Hold, (scope, reason))
    if found is None:
        return False
    session.delete(found)
    count_change(session)
    return True

"""What keeps accounts, or the whole platform, from making calls."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from controller.store.billing_tables import Hold, HoldReason
from controller.store.directory import count_change
from controller.store.many import pieces


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
    return bool(release_all(session, [scope], reason))


def hold_all(session: Session, scopes: Iterable[str], reason: HoldReason, now: datetime) -> list[str]:
    """Have no calls made by any of these; returns those that were not held for this reason already."""
    wanted = list(scopes)
    there = {row.scope for row in _holds_of_all(session, wanted, reason)}
    new = [scope for scope in wanted if scope not in there]
    session.add_all(Hold(scope=scope, reason=reason, since=now, ends_calls=False) for scope in new)
    if new:
        count_change(session)
    return new


def release_all(session: Session, scopes: Iterable[str], reason: HoldReason) -> list[str]:
    """Take this reason away from all of these; returns those that had it."""
    there = _holds_of_all(session, scopes, reason)
    for row in there:
        session.delete(row)
    if there:
        count_change(session)
    return [row.scope for row in there]


def _holds_of_all(session: Session, scopes: Iterable[str], reason: HoldReason) -> list[Hold]:
    return [
        row
        for some in pieces(scopes)
        for row in session.execute(
            select(Hold).where(col(Hold.scope).in_(some), col(Hold.reason) == reason)
        ).scalars()
    ]

"""The CDR outbox: what is due, what was delivered, what was given up to the file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from controller.store.tables import Cdr, CdrPush


@dataclass(frozen=True)
class DuePush:
    """A CDR that is due to be pushed."""

    call_id: str
    app_key: str
    url: str
    ended_at: datetime
    attempts: int
    record: dict[str, Any]


def due_pushes(session: Session, now: datetime, limit: int = 1000) -> list[DuePush]:
    """CDRs whose time has come, oldest first."""
    rows = session.execute(
        select(
            col(CdrPush.call_id),
            col(CdrPush.app_key),
            col(CdrPush.url),
            col(CdrPush.ended_at),
            col(CdrPush.attempts),
            col(Cdr.record),
        )
        .join(Cdr, col(Cdr.call_id) == col(CdrPush.call_id))
        .where(col(CdrPush.due_at) <= now)
        .order_by(col(CdrPush.due_at))
        .limit(limit)
    )
    return [DuePush(*row) for row in rows]


def next_due(session: Session, after: datetime) -> datetime | None:
    """When the next CDR is due, if any is waiting."""
    due: datetime | None = session.execute(
        select(func.min(col(CdrPush.due_at))).where(col(CdrPush.due_at) > after)
    ).scalar_one()
    return due


def mark_delivered(session: Session, call_ids: Sequence[str], at: datetime) -> None:
    """The customer has these."""
    _update(session, call_ids, delivered_at=at, due_at=None, attempts=col(CdrPush.attempts) + 1)


def mark_failed(session: Session, call_ids: Sequence[str], due_at: datetime) -> None:
    """An attempt failed; another follows."""
    _update(session, call_ids, due_at=due_at, attempts=col(CdrPush.attempts) + 1)


def mark_filed(session: Session, call_ids: Sequence[str], at: datetime) -> None:
    """All attempts failed; the records are in the CDR file now."""
    _update(session, call_ids, filed_at=at, due_at=None, attempts=col(CdrPush.attempts) + 1)


def _update(session: Session, call_ids: Sequence[str], **values: Any) -> None:
    session.execute(update(CdrPush).where(col(CdrPush.call_id).in_(call_ids)).values(**values))

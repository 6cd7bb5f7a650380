"""The CDR outbox: what is due, what was delivered, what was given up to the file."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, tuple_, update
from sqlmodel import Session, col

from controller.store.controllers import keep_owned
from controller.store.tables import Call, Cdr, CdrPush, PushEndpoint

_AT_ONCE = 500
"""Rows named in one statement."""


@dataclass(frozen=True)
class DuePush:
    """A CDR that is due to be pushed."""

    call_id: str
    app_key: str
    url: str
    ended_at: datetime
    attempts: int
    record: dict[str, Any]
    message_id: str | None = None


def due_pushes(
    session: Session,
    now: datetime,
    limit: int = 1000,
    controller: str | None = None,
    without: Collection[tuple[str, str]] = (),
) -> list[DuePush]:
    """CDRs whose time has come, oldest first; of one controller's calls or of all.

    `without`: apps with addresses to which nothing more is to go now.
    """
    query = (
        select(
            col(CdrPush.call_id),
            col(CdrPush.app_key),
            col(CdrPush.url),
            col(CdrPush.ended_at),
            col(CdrPush.attempts),
            col(Cdr.record),
            col(CdrPush.message_id),
        )
        .join(Cdr, col(Cdr.call_id) == col(CdrPush.call_id))
        .where(col(CdrPush.due_at) <= now)
        .order_by(col(CdrPush.due_at), col(CdrPush.call_id))
        .limit(limit)
    )
    if without:
        query = query.where(tuple_(col(CdrPush.app_key), col(CdrPush.url)).not_in(list(without)))
    if controller is not None:
        query = query.join(Call, col(Call.id) == col(CdrPush.call_id)).where(
            col(Call.controller) == controller
        )
    return [DuePush(*row) for row in session.execute(query)]


def next_due(session: Session, after: datetime) -> datetime | None:
    """When the next CDR is due, if any is waiting."""
    due: datetime | None = session.execute(
        select(func.min(col(CdrPush.due_at))).where(col(CdrPush.due_at) > after)
    ).scalar_one()
    return due


def count_waiting(session: Session) -> int:
    """CDRs that are to be pushed, now or later, of all controllers."""
    waiting: int = session.execute(
        select(func.count()).select_from(CdrPush).where(col(CdrPush.due_at).is_not(None))
    ).scalar_one()
    return waiting


def mark_delivered(session: Session, call_ids: Sequence[str], at: datetime) -> None:
    """The customer has these."""
    _update(session, call_ids, delivered_at=at, due_at=None, attempts=col(CdrPush.attempts) + 1)


def mark_failed(session: Session, call_ids: Sequence[str], due_at: datetime, message_id: str) -> None:
    """An attempt failed; another follows."""
    attempts = col(CdrPush.attempts) + 1
    _update(session, call_ids, due_at=due_at, attempts=attempts, message_id=message_id)


def mark_filed(session: Session, call_ids: Sequence[str], at: datetime, message_id: str) -> None:
    """All attempts failed; the records are in the CDR file now."""
    attempts = col(CdrPush.attempts) + 1
    _update(session, call_ids, filed_at=at, due_at=None, attempts=attempts, message_id=message_id)


def hold(session: Session, call_ids: Sequence[str], app_key: str, url: str) -> None:
    """Keep what is for a disabled endpoint until it is pushed by hand; nothing if it isn't disabled now."""
    disabled = select(col(PushEndpoint.url)).where(
        col(PushEndpoint.app_key) == app_key,
        col(PushEndpoint.url) == url,
        col(PushEndpoint.disabled_at).is_not(None),
    )
    session.execute(
        update(CdrPush)
        .where(col(CdrPush.call_id).in_(call_ids), disabled.exists())
        .values(due_at=None)
        .execution_options(synchronize_session=False)
    )


@dataclass(frozen=True)
class Undelivered:
    """A CDR that the customer does not have: waiting, held back or in the CDR file."""

    call_id: str
    app_key: str
    url: str
    ended_at: datetime
    attempts: int
    due_at: datetime | None
    filed_at: datetime | None


def undelivered(
    session: Session, app_key: str | None = None, since: datetime | None = None, call_id: str | None = None
) -> list[Undelivered]:
    """CDRs that were not delivered, oldest first; each condition that is given narrows them."""
    query = (
        select(
            col(CdrPush.call_id),
            col(CdrPush.app_key),
            col(CdrPush.url),
            col(CdrPush.ended_at),
            col(CdrPush.attempts),
            col(CdrPush.due_at),
            col(CdrPush.filed_at),
        )
        .where(col(CdrPush.delivered_at).is_(None))
        .order_by(col(CdrPush.ended_at), col(CdrPush.call_id))
    )
    if app_key is not None:
        query = query.where(col(CdrPush.app_key) == app_key)
    if since is not None:
        query = query.where(col(CdrPush.ended_at) >= since)
    if call_id is not None:
        query = query.where(col(CdrPush.call_id) == call_id)
    return [Undelivered(*row) for row in session.execute(query)]


def push_again(session: Session, call_ids: Sequence[str], now: datetime) -> None:
    """Have these pushed now and, if that fails, on the whole schedule again; what was delivered stays."""
    for start in range(0, len(call_ids), _AT_ONCE):
        some = call_ids[start : start + _AT_ONCE]
        keep_owned(session, some)
        session.execute(
            update(CdrPush)
            .where(col(CdrPush.call_id).in_(some), col(CdrPush.delivered_at).is_(None))
            .values(due_at=now, attempts=0, filed_at=None)
            .execution_options(synchronize_session=False)
        )


def _update(session: Session, call_ids: Sequence[str], **values: Any) -> None:
    session.execute(update(CdrPush).where(col(CdrPush.call_id).in_(call_ids)).values(**values))

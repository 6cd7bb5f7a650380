"""Calls in the database: accepted, described, ended.

Quota places are the live rows themselves, so that none can leak; all three writes are one transaction each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlmodel import Session, col

from controller.store.errors import LimitReached, Replayed
from controller.store.tables import Call, Cdr, CdrPush, TimelineEntry, UsedNonce

Row = Mapping[str, Any]


@dataclass(frozen=True)
class NonceUse:
    """A nonce and until when it must be remembered."""

    app_key: str
    nonce: str
    expires_at: datetime


@dataclass(frozen=True)
class CdrDelivery:
    """Where a CDR is to be pushed and when."""

    url: str
    due_at: datetime


def accept_call(session: Session, call: Row, first_entry: Row, nonce: NonceUse | None, max_calls: int) -> int:
    """Write a call down before it is made; returns how many more the app may have.

    Raises LimitReached or Replayed; then nothing is written.
    """
    live: int = session.execute(
        select(func.count())
        .select_from(Call)
        .where(col(Call.app_key) == call["app_key"], col(Call.ended_at).is_(None))
    ).scalar_one()
    if live >= max_calls:
        raise LimitReached(f"{live} of {max_calls} calls are live")
    if nonce is not None:
        used = (col(UsedNonce.app_key) == nonce.app_key, col(UsedNonce.nonce) == nonce.nonce)
        if session.execute(select(col(UsedNonce.nonce)).where(*used)).first() is not None:
            raise Replayed("the nonce was used before")
        session.execute(
            insert(UsedNonce).values(app_key=nonce.app_key, nonce=nonce.nonce, expires_at=nonce.expires_at)
        )
    session.execute(insert(Call).values(**call))
    session.execute(insert(TimelineEntry).values(**first_entry))
    return max_calls - live - 1


def add_entries(session: Session, entries: Sequence[Row]) -> None:
    """Add to the timelines of live calls."""
    session.execute(insert(TimelineEntry), list(entries))


def end_call(
    session: Session,
    call_id: str,
    *,
    ended_at: datetime,
    state_code: int,
    last_entry: Row,
    cdr: Row,
    app_key: str,
    delivery: CdrDelivery | None,
) -> bool:
    """End a call: its row, its CDR and the CDR's place in the outbox, together.

    False if it had ended already; then nothing is written.
    """
    ended = session.execute(
        update(Call)
        .where(col(Call.id) == call_id, col(Call.ended_at).is_(None))
        .values(ended_at=ended_at, state_code=state_code)
    )
    if ended.rowcount == 0:  # type: ignore[attr-defined]
        return False
    session.execute(insert(TimelineEntry).values(**last_entry))
    session.execute(insert(Cdr).values(call_id=call_id, app_key=app_key, ended_at=ended_at, record=dict(cdr)))
    if delivery is not None:
        session.execute(
            insert(CdrPush).values(
                call_id=call_id,
                app_key=app_key,
                url=delivery.url,
                ended_at=ended_at,
                attempts=0,
                due_at=delivery.due_at,
            )
        )
    return True


def live_calls(session: Session, controller: str) -> list[Call]:
    """The calls that a controller has not ended."""
    found = session.execute(
        select(Call).where(col(Call.controller) == controller, col(Call.ended_at).is_(None))
    )
    return list(found.scalars())


def timeline(session: Session, call_id: str) -> list[TimelineEntry]:
    """What is known of a call, in order."""
    found = session.execute(
        select(TimelineEntry)
        .where(col(TimelineEntry.call_id) == call_id)
        .order_by(col(TimelineEntry.sequence))
    )
    return list(found.scalars())


def find_call(session: Session, session_id: str) -> Call | None:
    """The call with this session id."""
    return session.execute(select(Call).where(col(Call.session_id) == session_id)).scalar_one_or_none()


def forget_nonces(session: Session, now: datetime) -> None:
    """Remove nonces whose requests would be refused as too old anyway."""
    session.execute(delete(UsedNonce).where(col(UsedNonce.expires_at) < now))


def cdrs(session: Session, call_ids: Iterable[str]) -> list[Cdr]:
    """The CDRs of these calls."""
    found = session.execute(select(Cdr).where(col(Cdr.call_id).in_(list(call_ids))))
    return list(found.scalars())

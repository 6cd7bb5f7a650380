"""Recordings in the database: what is to be fetched, what is kept, what has had its time.

::

    pending ──> fetched ──> stored ──> purged      discard ──> discarded
       ├──> failed  └──> discard (its time is over before Asterisk let go of it)
       └──> discard (no sound is in it)

`fetched` is a file of ours of which Asterisk still has its copy; customers can have it already. What a node
doesn't give for long, as it may never come back, is `failed` or `discarded` in the end, with a `purge_at` for
as long as its copy may still be there.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import CursorResult, exists, func, select, update
from sqlmodel import Session, col

from controller.store.tables import Call, Recording


class RecordingState(StrEnum):
    """How far a recording has come."""

    PENDING = "pending"
    FETCHED = "fetched"
    STORED = "stored"
    PURGED = "purged"
    FAILED = "failed"
    DISCARD = "discard"
    DISCARDED = "discarded"


UNFINISHED = (RecordingState.PENDING, RecordingState.FETCHED, RecordingState.DISCARD)
GIVEN_UP = (RecordingState.FAILED, RecordingState.DISCARDED)
"""Nobody waits for them any more."""
KEPT = (RecordingState.FETCHED, RecordingState.STORED)
"""There is a file."""


@dataclass(frozen=True)
class KnownRecording:
    """A row, apart from its session."""

    call_id: str
    account_id: str
    name: str
    node: str
    state: RecordingState
    started_at: datetime


def due(session: Session, node: str, excluded: Collection[str], limit: int) -> list[KnownRecording]:
    """Recordings of this node that are to be fetched or deleted there, oldest first, but those `excluded`."""
    return _known(
        session,
        col(Recording.node) == node,
        col(Recording.state).in_(UNFINISHED),
        col(Recording.call_id).not_in(excluded),
        order=(col(Recording.started_at), col(Recording.call_id)),
        limit=limit,
    )


def waiting(session: Session, ended_before: datetime) -> dict[str, int]:
    """How many recordings of calls that ended before then are still to be fetched, by node."""
    found = session.execute(
        select(col(Recording.node), func.count())
        .join(Call, col(Call.id) == col(Recording.call_id))
        .where(col(Recording.state) == RecordingState.PENDING, col(Call.ended_at) < ended_before)
        .group_by(col(Recording.node))
    )
    return {row[0]: row[1] for row in found}


_WAITED_FOR = {
    RecordingState.PENDING: RecordingState.FAILED,
    RecordingState.DISCARD: RecordingState.DISCARDED,
}
"""What a node still has to give or to delete, and what becomes of it when nobody waits any more."""


def overdue(session: Session, started_before: datetime, limit: int) -> list[KnownRecording]:
    """Recordings that began before then and that their node, whichever, still has to give or to delete."""
    return _known(
        session,
        col(Recording.state).in_(_WAITED_FOR),
        col(Recording.started_at) < started_before,
        order=(col(Recording.started_at), col(Recording.call_id)),
        limit=limit,
    )


def give_up(session: Session, call_ids: Collection[str], now: datetime) -> None:
    """Nobody waits for these any more."""
    for before, after in _WAITED_FOR.items():
        _move(session, call_ids, before, after, purge_at=now)


def left_behind(session: Session, node: str, limit: int) -> list[KnownRecording]:
    """Recordings that were given up, and of which this node may have its copy still."""
    return _known(
        session,
        col(Recording.node) == node,
        col(Recording.state).in_(GIVEN_UP),
        col(Recording.purge_at).is_not(None),
        order=(col(Recording.call_id),),
        limit=limit,
    )


def mark_gone(session: Session, call_id: str) -> None:
    """The node has let go of one that was given up."""
    for state in GIVEN_UP:
        _move(session, [call_id], state, state, purge_at=None)


def mark_fetched(session: Session, call_id: str, seconds: float, purge_at: datetime) -> bool:
    """The file is safe; False if nobody waits for it any more, and it is not to be kept."""
    _move(
        session,
        [call_id],
        RecordingState.PENDING,
        RecordingState.FETCHED,
        seconds=seconds,
        purge_at=purge_at,
    )
    kept: bool = session.execute(
        select(exists().where(col(Recording.call_id) == call_id, col(Recording.state).in_(KEPT)))
    ).scalar_one()
    return kept


def mark_stored(session: Session, call_id: str) -> None:
    """The file is the only one: Asterisk has let go of its own."""
    _move(session, [call_id], RecordingState.FETCHED, RecordingState.STORED)


def mark_failed(session: Session, call_id: str) -> bool:
    """There is nothing to fetch, and never will be; False if another controller has fetched it meanwhile."""
    return _move(session, [call_id], RecordingState.PENDING, RecordingState.FAILED) == 1


def mark_empty(session: Session, call_id: str) -> None:
    """Nobody is to keep it, as no sound is in it."""
    _move(session, [call_id], RecordingState.PENDING, RecordingState.DISCARD)


def mark_discarded(session: Session, call_id: str) -> None:
    """Asterisk has deleted what nobody is to keep."""
    _move(session, [call_id], RecordingState.DISCARD, RecordingState.DISCARDED)


def due_to_purge(session: Session, now: datetime, after: str, limit: int) -> list[KnownRecording]:
    """Recordings whose time is over, of every node, in the order of call ids from the one after `after`."""
    return _known(
        session,
        col(Recording.purge_at) <= now,
        col(Recording.state).in_(KEPT),
        col(Recording.call_id) > after,
        order=(col(Recording.call_id),),
        limit=limit,
    )


def mark_purged(session: Session, call_ids: Collection[str]) -> None:
    """Their files are gone. What Asterisk still has is yet to be deleted there."""
    _move(session, call_ids, RecordingState.STORED, RecordingState.PURGED, purge_at=None)
    _move(session, call_ids, RecordingState.FETCHED, RecordingState.DISCARD, purge_at=None)


def find(session: Session, name: str, account_id: str | None = None) -> KnownRecording | None:
    """The recording that customers know by `name`; with an account, only if it is theirs."""
    conditions = [col(Recording.name) == name]
    if account_id is not None:
        conditions.append(col(Recording.account_id) == account_id)
    found = _known(session, *conditions, order=(), limit=1)
    return found[0] if found else None


def _known(session: Session, *conditions: Any, order: tuple[Any, ...], limit: int) -> list[KnownRecording]:
    rows = session.execute(
        select(
            col(Recording.call_id),
            col(Recording.account_id),
            col(Recording.name),
            col(Recording.node),
            col(Recording.state),
            col(Recording.started_at),
        )
        .where(*conditions)
        .order_by(*order)
        .limit(limit)
    )
    return [
        KnownRecording(call_id, account_id, name, node, RecordingState(state), started_at)
        for call_id, account_id, name, node, state, started_at in rows
    ]


def _move(
    session: Session,
    call_ids: Collection[str],
    before: RecordingState,
    after: RecordingState,
    **values: Any,
) -> int:
    """Only from the state that the caller has seen, as a second controller may have been faster.

    Returns how many have moved.
    """
    result = session.execute(
        update(Recording)
        .where(col(Recording.call_id).in_(call_ids), col(Recording.state) == before)
        .values(state=after, **values)
    )
    return cast(CursorResult[Any], result).rowcount

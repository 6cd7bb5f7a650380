"""Calls in the database: accepted, described, ended.

Quota places are the live rows themselves, so that none can leak; all three writes are one transaction each.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from controller.store.errors import AskedBefore
from controller.store.limits import KeyUse, Limits, NonceUse, Place, place_for
from controller.store.prepared import Prepared
from controller.store.tables import (
    App,
    Call,
    CallPush,
    Cdr,
    CdrPush,
    PushProfile,
    Recording,
    StartedOnce,
    TimelineEntry,
    UsedNonce,
)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class CdrDelivery:
    """Where a CDR is to be pushed and when."""

    url: str
    due_at: datetime


_CALL, _TIMELINE, _CDR, _PUSH, _NONCE, _RECORDING, _PROGRESS, _ONCE = (
    cast(Any, kind).__table__
    for kind in (Call, TimelineEntry, Cdr, CdrPush, UsedNonce, Recording, CallPush, StartedOnce)
)
# Made once: these run for every call, and making a statement costs more than running it.
_END_CALL = Prepared(
    _CALL.update()
    .where(_CALL.c.id == bindparam("call"), _CALL.c.ended_at.is_(None))
    .values(ended_at=bindparam("at"), state_code=bindparam("code"))
)
_INSERT_CDR = Prepared(_CDR.insert().inline(), columns=("call_id", "app_key", "ended_at", "record"))
(
    _INSERT_CALL,
    _INSERT_ENTRY,
    _INSERT_PUSH,
    _INSERT_PROGRESS,
    _INSERT_RECORDING,
    _INSERT_NONCE,
    _INSERT_ONCE,
) = (Prepared(table.insert()) for table in (_CALL, _TIMELINE, _PUSH, _PROGRESS, _RECORDING, _NONCE, _ONCE))
_INSERT_MISSING_ENTRY = {
    "sqlite": Prepared(sqlite.insert(_TIMELINE).on_conflict_do_nothing()),
    "postgresql": Prepared(postgresql.insert(_TIMELINE).on_conflict_do_nothing()),
}


def accept_call(
    session: Session,
    call: Row,
    nonce: NonceUse | None,
    limits: Limits,
    key: KeyUse | None = None,
    also: Callable[[], None] = lambda: None,
) -> Place:
    """Write a call down before it is made, if there is a place for it.

    :param also: what else may refuse it; what it asks the database goes with what is asked here.

    Raises LimitReached, Replayed or AskedBefore, or what `also` raises; then nothing is written, but that
    with AskedBefore the nonce is used up.
    """
    asked = place_for(session, call, limits, nonce, key)
    also()
    try:
        place = asked()
    except AskedBefore:
        _use_up(session, nonce)
        raise
    _use_up(session, nonce)
    if key is not None:
        _INSERT_ONCE.run(session, {**vars(key), "session_id": call["session_id"], "idle": place.idle})
    _INSERT_CALL.run(session, call)
    if _is_durable(call):
        _INSERT_PROGRESS.later(session, {"call_id": call["id"], "delivered": -1, "attempts": 0})
    return place


def _is_durable(call: Row) -> bool:
    return bool(call.get("status_url")) and call.get("push_profile") == PushProfile.DURABLE


def _use_up(session: Session, nonce: NonceUse | None) -> None:
    if nonce is not None:
        _INSERT_NONCE.run(session, vars(nonce))


def add_entries(session: Session, entries: Sequence[Row]) -> None:
    """Add to timelines."""
    for entry in entries:
        _INSERT_ENTRY.later(session, entry)


def add_missing_entries(session: Session, entries: Sequence[Row]) -> None:
    """Add to timelines what of this is not there."""
    _INSERT_MISSING_ENTRY[session.connection().dialect.name].run_many(session, entries)


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
    recording: Row | None = None,
) -> bool:
    """End a call: its row, its CDR, the CDR's place in the outbox and its recording, together.

    False if it had ended already; then nothing is written.
    """
    if _END_CALL.count(session, {"call": call_id, "at": ended_at, "code": state_code}) == 0:
        return False
    record = {"call_id": call_id, "app_key": app_key, "ended_at": ended_at}
    _INSERT_ENTRY.later(session, last_entry)
    _INSERT_CDR.later(session, {**record, "record": cdr})
    if delivery is not None:
        push = {**record, "url": delivery.url, "attempts": 0, "due_at": delivery.due_at}
        _INSERT_PUSH.later(session, push)
    if recording is not None:
        _INSERT_RECORDING.later(session, {"call_id": call_id, **recording})
    return True


def is_written(session: Session, call_id: str) -> bool:
    """Whether there is such a call, ended or not."""
    return session.execute(select(col(Call.id)).where(col(Call.id) == call_id)).first() is not None


def write_anew(session: Session, call: Row, entries: Sequence[Row], tell_again_at: datetime) -> bool:
    """Write down a call in progress that the database has lost, as in a failover.

    False if its application is lost as well; then nothing is written.

    :param tell_again_at: if by then its durable pushes are not over, all are told again: how far they had
        come is lost too.
    """
    if session.execute(select(col(App.key)).where(col(App.key) == call["app_key"])).first() is None:
        return False
    _INSERT_CALL.run(session, call)
    _INSERT_ENTRY.run_many(session, entries)
    if _is_durable(call):
        progress = {"call_id": call["id"], "delivered": -1, "attempts": 0, "due_at": tell_again_at}
        _INSERT_PROGRESS.run(session, progress)
    return True


def has_ended_at(session: Session, call_id: str, moment: datetime) -> bool:
    """Whether the call has ended at just this moment."""
    its = select(col(Call.id)).where(col(Call.id) == call_id, col(Call.ended_at) == moment)
    return session.execute(its).first() is not None


def live_calls(session: Session, controller: str) -> list[Call]:
    """The calls that a controller has not ended, on whatever node."""
    found = session.execute(
        select(Call).where(col(Call.controller) == controller, col(Call.ended_at).is_(None))
    )
    return list(found.scalars())


def go_on(session: Session, call_ids: Collection[str]) -> None:
    """These were left behind, and are run again."""
    session.execute(
        update(Call)
        .where(col(Call.id).in_(call_ids))
        .values(left_at=None)
        .execution_options(synchronize_session=False)
    )


def owners(session: Session, call_ids: Collection[str]) -> dict[str, str | None]:
    """Which controller has each of these calls; None: it has ended. Those that are unknown are left out."""
    found = session.execute(
        select(col(Call.id), col(Call.controller), col(Call.ended_at)).where(col(Call.id).in_(call_ids))
    )
    return {call_id: controller if ended is None else None for call_id, controller, ended in found}


def timeline(session: Session, call_id: str) -> list[TimelineEntry]:
    """What is known of a call, in order."""
    found = session.execute(
        select(TimelineEntry)
        .where(col(TimelineEntry.call_id) == call_id)
        .order_by(col(TimelineEntry.sequence))
    )
    return list(found.scalars())


def started_once(session: Session, key_id: str) -> StartedOnce | None:
    """The call that was started with a key."""
    return session.get(StartedOnce, key_id)


def forget_nonces(session: Session, now: datetime) -> None:
    """Remove nonces whose requests would be refused as too old anyway, and keys that are good again."""
    session.execute(delete(UsedNonce).where(col(UsedNonce.expires_at) < now))
    session.execute(delete(StartedOnce).where(col(StartedOnce.expires_at) <= now))


def cdrs(session: Session, call_ids: Iterable[str]) -> list[Cdr]:
    """The CDRs of these calls."""
    found = session.execute(select(Cdr).where(col(Cdr.call_id).in_(list(call_ids))))
    return list(found.scalars())

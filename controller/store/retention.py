"""Calls whose time is over: removed with everything that hangs on them, a few at a time."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import and_, delete, exists, or_, select, tuple_
from sqlmodel import Session

from controller.store.recordings import KEPT, UNFINISHED
from controller.store.tables import Call, CallPush, Cdr, CdrPush, PushAttempt, Recording, TimelineEntry

_CALL, _CDR, _CDR_PUSH, _RECORDING = (cast(Any, kind).__table__ for kind in (Call, Cdr, CdrPush, Recording))
_HANGING = tuple(
    cast(Any, kind).__table__ for kind in (TimelineEntry, PushAttempt, CallPush, CdrPush, Recording, Cdr)
)
"""What has a call's id, in an order in which nothing is left without what it refers to."""

_BUSY = or_(
    # The file goes first, and knows its place from the row.
    exists().where(_RECORDING.c.call_id == _CDR.c.call_id, _RECORDING.c.state.in_((*KEPT, *UNFINISHED))),
    exists().where(and_(_CDR_PUSH.c.call_id == _CDR.c.call_id, _CDR_PUSH.c.due_at.is_not(None))),
)


@dataclass(frozen=True)
class Purged:
    """`calls` were removed, and what was looked at goes as far as `last` (end, number of the CDR)."""

    calls: int
    last: tuple[datetime, int]


def purge_calls(
    session: Session, before: datetime, after: tuple[datetime, int] | None, limit: int
) -> Purged | None:
    """Remove calls that ended before then, oldest first, from those `after` on; None if there is none.

    Calls whose recording has a file still, or whose CDR is being delivered, stay.
    """
    query = select(_CDR.c.ended_at, _CDR.c.number, _CDR.c.call_id, _BUSY.label("busy"))
    if after is not None:
        query = query.where(tuple_(_CDR.c.ended_at, _CDR.c.number) > tuple_(*after))
    looked_at = session.execute(
        query.where(_CDR.c.ended_at < before).order_by(_CDR.c.ended_at, _CDR.c.number).limit(limit)
    ).all()
    if not looked_at:
        return None
    gone = [row.call_id for row in looked_at if not row.busy]
    for table in _HANGING:
        session.execute(delete(table).where(table.c.call_id.in_(gone)))
    session.execute(delete(_CALL).where(_CALL.c.id.in_(gone)))
    return Purged(len(gone), (looked_at[-1].ended_at, looked_at[-1].number))

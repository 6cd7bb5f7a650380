"""Calls that go on: the newest of them, and how far each has come."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from typing import Any, cast

from sqlalchemy import func, select
from sqlmodel import Session

from controller.store.tables import Call, Service, TimelineEntry

_CALL, _ENTRY = (cast(Any, kind).__table__ for kind in (Call, TimelineEntry))


@dataclass(frozen=True)
class Step:
    """The last thing that brought a call further; `leg` is "a", "b" or None."""

    kind: str
    leg: str | None
    at: datetime


@dataclass(frozen=True)
class LiveRow:
    """A call that goes on. `caller` and `callee` as in lists of calls."""

    call_id: str
    session_id: str
    account_id: str
    app_key: str
    service: Service
    caller: str
    callee: str
    accepted_at: datetime
    controller: str
    node: str
    step: Step | None


def newest_live(
    session: Session, account_id: str | None, kinds: Collection[str], limit: int
) -> tuple[int, list[LiveRow]]:
    """How many calls go on, of an account or (None) of all, and the newest of them, newest first.

    :param kinds: of timeline entries, those that bring a call further.
    """
    live = select(_CALL.c.accepted_at, _CALL.c.id).where(_CALL.c.ended_at.is_(None))
    if account_id is not None:
        live = live.where(_CALL.c.account_id == account_id)
    # Not in the database's order, as that order's index would lead through all calls that have ended.
    places = [(at, call_id) for at, call_id in session.execute(live)]
    newest = [call_id for _at, call_id in nlargest(limit, places)]
    steps = _steps(session, newest, kinds)
    rows = {row.id: row for row in session.execute(select(_CALL).where(_CALL.c.id.in_(newest)))}
    # One may have ended meanwhile, where a transaction sees what others commit.
    return len(places), [_live(rows[call_id], steps.get(call_id)) for call_id in newest if call_id in rows]


def _live(row: Any, step: Step | None) -> LiveRow:
    service = Service(row.service)
    return LiveRow(
        row.id,
        row.session_id,
        row.account_id,
        row.app_key,
        service,
        row.callee if service is Service.CALLBACK else row.display_number,
        row.addressee or row.callee,
        row.accepted_at,
        row.controller,
        row.node,
        step,
    )


def _steps(session: Session, call_ids: Collection[str], kinds: Collection[str]) -> dict[str, Step]:
    """The last step of each call."""
    last = (
        select(_ENTRY.c.call_id, func.max(_ENTRY.c.sequence).label("sequence"))
        .where(_ENTRY.c.call_id.in_(call_ids), _ENTRY.c.kind.in_(kinds))
        .group_by(_ENTRY.c.call_id)
        .subquery()
    )
    found = session.execute(
        select(_ENTRY.c.call_id, _ENTRY.c.kind, _ENTRY.c.leg, _ENTRY.c.at).join(
            last, (_ENTRY.c.call_id == last.c.call_id) & (_ENTRY.c.sequence == last.c.sequence)
        )
    )
    return {call_id: Step(kind, leg, at) for call_id, kind, leg, at in found}

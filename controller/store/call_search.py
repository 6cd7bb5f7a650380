"""Calls as they are looked for, from the database itself: what the index hasn't taken in, and rows."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import nlargest
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlmodel import Session

from controller.store.call_filter import CallFilter, Place
from controller.store.call_index import Entry, Progress, session_column
from controller.store.tables import Call, Cdr, Service

_CALL, _CDR = (cast(Any, kind).__table__ for kind in (Call, Cdr))

_CALLER = case((_CALL.c.service == Service.CALLBACK, _CALL.c.callee), else_=_CALL.c.display_number)
_CALLEE = func.coalesce(_CALL.c.addressee, _CALL.c.callee)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class CallRow:
    """A call in a list. `record` is its CDR's, None while it goes on."""

    place: Place
    session_id: str
    account_id: str
    app_key: str
    service: Service
    caller: str
    callee: str
    accepted_at: datetime
    ended_at: datetime | None
    state_code: int | None
    record: dict[str, Any] | None


_COLUMNS = (
    _CALL.c.id,
    _CALL.c.session_id,
    _CALL.c.account_id,
    _CALL.c.app_key,
    _CALL.c.service,
    _CALLER.label("caller"),
    _CALLEE.label("callee"),
    _CALL.c.accepted_at,
    _CALL.c.ended_at,
    _CALL.c.state_code,
)


def unindexed(
    session: Session, wanted: CallFilter, progress: Progress, before: Place | None, limit: int
) -> list[Place]:
    """Calls that go on, and those that ended after what the index has; newest first, after `before`."""
    ended_since = select(_CDR.c.call_id).where(_CDR.c.number > progress.number)
    conditions = _conditions(session, wanted, before)
    # Two statements, as each has an index of its own and both together have none; and not in order, as
    # there are few, and the order's own index would lead through all the others.
    rows = (
        row
        for which in (_CALL.c.ended_at.is_(None), _CALL.c.id.in_(ended_since))
        for row in session.execute(select(_CALL.c.accepted_at, _CALL.c.id).where(which, *conditions))
    )
    return nlargest(limit, (Place.of(*row) for row in rows))


def _conditions(session: Session, wanted: CallFilter, before: Place | None) -> list[ColumnElement[bool]]:
    # The same function by two names.
    position = func.instr if session.get_bind().dialect.name == "sqlite" else func.strpos

    def within(column: Any, part: str) -> ColumnElement[bool]:
        return position(column, part) > 0

    exact = {
        _CALL.c.account_id: wanted.account_id,
        _CALL.c.app_key: wanted.app_key,
        _CALL.c.service: wanted.service,
    }
    conditions = [column == value for column, value in exact.items() if value is not None]
    if wanted.results:
        conditions.append(_CALL.c.state_code.in_(wanted.results))
    parts = ((_CALLER, wanted.caller), (_CALLEE, wanted.callee))
    conditions += [within(column, part) for column, part in parts if part is not None]
    if wanted.session_id is not None:
        conditions.append(within(_session(wanted.session_id), wanted.session_id))
    if wanted.text is not None:
        conditions.append(
            or_(*(within(column, wanted.text) for column in (_session(wanted.text), _CALLER, _CALLEE)))
        )
    if wanted.since is not None:
        conditions.append(_CALL.c.accepted_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(_CALL.c.accepted_at < wanted.until)
    if before is not None:
        at = _EPOCH + timedelta(microseconds=before.position)
        earlier = and_(_CALL.c.accepted_at == at, _CALL.c.id < before.call_id)
        conditions.append(or_(_CALL.c.accepted_at < at, earlier))
    return conditions


def _session(part: str) -> Any:
    return _CALL.c.session_id if session_column(part) == "session_id" else _CALL.c.id


def call_rows(session: Session, call_ids: Collection[str]) -> dict[str, CallRow]:
    """These calls, by their ids; those that are there no more are left out."""
    query: Select[Any] = (
        select(*_COLUMNS, _CDR.c.record)
        .select_from(_CALL.outerjoin(_CDR, _CDR.c.call_id == _CALL.c.id))
        .where(_CALL.c.id.in_(call_ids))
    )
    return {row.id: _call_row(row) for row in session.execute(query)}


def _call_row(row: Any) -> CallRow:
    return CallRow(
        Place.of(row.accepted_at, row.id),
        row.session_id,
        row.account_id,
        row.app_key,
        Service(row.service),
        row.caller,
        row.callee,
        row.accepted_at,
        row.ended_at,
        row.state_code,
        row.record,
    )


def ended_after(session: Session, number: int, limit: int) -> list[Entry]:
    """Calls as the index takes them in, in the order in which they ended, after the CDR of this number."""
    query = (
        select(*_COLUMNS, _CDR.c.number)
        .select_from(_CDR.join(_CALL, _CALL.c.id == _CDR.c.call_id))
        .where(_CDR.c.number > number)
        .order_by(_CDR.c.number)
        .limit(limit)
    )
    return [
        Entry(
            row.number,
            Place.of(row.accepted_at, row.id),
            row.account_id,
            row.app_key,
            row.service,
            row.state_code,
            row.session_id,
            row.caller,
            row.callee,
        )
        for row in session.execute(query)
    ]


def fits(session: Session, progress: Progress) -> bool:
    """Whether an index that has come so far can be this database's."""
    if not progress.number:
        return True
    newest = session.execute(select(func.max(_CDR.c.number))).scalar_one()
    found = session.execute(
        select(_CDR.c.call_id).where(_CDR.c.number == progress.number)
    ).scalar_one_or_none()
    return newest is not None and newest >= progress.number and found in (None, progress.call_id)


def still_there(session: Session, call_ids: Collection[str]) -> set[str]:
    """Those of these calls that are in the database."""
    return set(session.execute(select(_CALL.c.id).where(_CALL.c.id.in_(call_ids))).scalars())

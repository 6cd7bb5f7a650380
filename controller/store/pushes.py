"""Pushes in the database: every attempt, endpoints in trouble, and how far the durable calls have come."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import bindparam, case, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from controller.store.notices import tell_contacts
from controller.store.prepared import Prepared
from controller.store.tables import App, Call, CallPush, PushAttempt, PushEndpoint

DISABLED = "endpoint.disabled"
"""The notice to the contacts of an account."""

_ATTEMPT = cast(Any, PushAttempt).__table__
_INSERT_ATTEMPT = Prepared(
    _ATTEMPT.insert().inline(), [column.name for column in _ATTEMPT.c if column.name != "id"]
)

_ENDPOINT = cast(Any, PushEndpoint).__table__


def _keep_trouble(insert: Any) -> Prepared:
    """Another controller may have had more trouble with it, and have disabled it: that stays."""
    old, new = _ENDPOINT.c, insert.excluded
    values = {column.name: new[column.name] for column in old if not column.primary_key} | {
        "failing_since": case(
            (old.failing_since < new.failing_since, old.failing_since), else_=new.failing_since
        ),
        "failures": case((old.failures > new.failures, old.failures), else_=new.failures),
        "disabled_at": func.coalesce(old.disabled_at, new.disabled_at),
    }
    return Prepared(insert.on_conflict_do_update(index_elements=list(_ENDPOINT.primary_key), set_=values))


_KEEP_TROUBLE = {
    "sqlite": _keep_trouble(sqlite.insert(_ENDPOINT)),
    "postgresql": _keep_trouble(postgresql.insert(_ENDPOINT)),
}
_DISABLED_THERE = Prepared(
    select(func.count().label("disabled")).where(
        _ENDPOINT.c.app_key == bindparam("app_key"),
        _ENDPOINT.c.url == bindparam("url"),
        _ENDPOINT.c.disabled_at.is_not(None),
    )
)

_PURGED_AT_ONCE = 5000


def add_attempts(session: Session, attempts: Sequence[Mapping[str, Any]]) -> None:
    """Keep these attempts."""
    if attempts:
        _INSERT_ATTEMPT.run_many(session, attempts)


def attempts_of(session: Session, call_id: str) -> list[PushAttempt]:
    """Every attempt to tell of a call, oldest first."""
    found = session.execute(
        select(PushAttempt).where(col(PushAttempt.call_id) == call_id).order_by(col(PushAttempt.id))
    )
    return list(found.scalars())


def purge_pushes(session: Session, before: datetime) -> bool:
    """Forget some of what was over before then; True if there may be more."""
    oldest = select(_ATTEMPT.c.id, _ATTEMPT.c.at).order_by(_ATTEMPT.c.id).limit(_PURGED_AT_ONCE).subquery()
    last = session.execute(select(func.max(oldest.c.id)).where(oldest.c.at < before)).scalar_one()
    session.execute(delete(CallPush).where(col(CallPush.given_up_at) < before))
    session.execute(
        delete(PushEndpoint).where(
            col(PushEndpoint.failed_at) < before, col(PushEndpoint.disabled_at).is_(None)
        )
    )
    if last is None:
        return False
    purged = session.execute(delete(PushAttempt).where(col(PushAttempt.id) <= last))
    return cast(Any, purged).rowcount >= _PURGED_AT_ONCE  # type: ignore[no-any-return]


# Endpoints


def troubled_endpoints(session: Session) -> list[PushEndpoint]:
    """Endpoints that have failed since they last worked, those in trouble longest first."""
    found = session.execute(select(PushEndpoint).order_by(col(PushEndpoint.failing_since)))
    return list(found.scalars())


def keep_troubles(
    session: Session,
    well: Collection[tuple[str, str]],
    troubles: Mapping[tuple[str, str], Mapping[str, Any]],
    judged: Collection[tuple[str, str]],
) -> None:
    """Write down how endpoints (app, address) are: those that were `well`, and those in trouble since.

    Of those that were `judged` just now, and so became disabled, the account is told. While a receiver hangs
    this runs several times a second beside the loop, which has to wait for it.
    """
    for app_key, url in well:
        enable_endpoint(session, app_key, url)
    rows = []
    for (app_key, url), trouble in troubles.items():
        if trouble["disabled_at"] is not None and not _is_disabled(session, app_key, url):
            if (app_key, url) not in judged:
                # It was disabled before, and somebody has enabled it.
                continue
            _tell_disabled(session, app_key, url, trouble)
        rows.append({"app_key": app_key, "url": url, **trouble})
    if rows:
        _KEEP_TROUBLE[session.connection().dialect.name].run_many(session, rows)


def _is_disabled(session: Session, app_key: str, url: str) -> bool:
    found = _DISABLED_THERE.asked(session, {"app_key": app_key, "url": url})()
    return bool(found["disabled"])


def _tell_disabled(session: Session, app_key: str, url: str, trouble: Mapping[str, Any]) -> None:
    application = session.get(App, app_key)
    if application is not None:
        facts = {
            "app": app_key,
            "url": url,
            "failing_since": trouble["failing_since"].isoformat().replace("+00:00", "Z"),
            "failures": trouble["failures"],
            "error": trouble["error"],
        }
        tell_contacts(session, application.account_id, DISABLED, facts, trouble["disabled_at"])


def enable_endpoint(session: Session, app_key: str, url: str) -> None:
    """Forget what was held against an endpoint."""
    session.execute(
        delete(PushEndpoint).where(col(PushEndpoint.app_key) == app_key, col(PushEndpoint.url) == url)
    )


# Durable calls


def mark_told(session: Session, delivered: Mapping[str, int], over: Collection[str]) -> None:
    """The customer knows of these calls up to these timeline entries, and of those `over` everything."""
    for call_id, sequence in delivered.items():
        # Only forward: what was noted late must not undo what came after it.
        session.execute(
            update(CallPush)
            .where(col(CallPush.call_id) == call_id, col(CallPush.delivered) < sequence)
            .values(delivered=sequence, attempts=0)
        )
    if over:
        session.execute(delete(CallPush).where(col(CallPush.call_id).in_(over)))


def mark_caught_up(session: Session, call_id: str, delivered: int) -> None:
    """A live call has nothing more to tell now; its controller goes on by itself."""
    _update(session, call_id, delivered=delivered, attempts=0, due_at=None)


def mark_untold(session: Session, call_id: str, delivered: int, attempts: int, due_at: datetime) -> None:
    """The next push of a call failed, for the `attempts`th time; another attempt follows."""
    _update(session, call_id, delivered=delivered, attempts=attempts, due_at=due_at)


def mark_given_up(session: Session, call_id: str, delivered: int, attempts: int, at: datetime) -> None:
    """The customer is told no more of a call."""
    _update(session, call_id, delivered=delivered, attempts=attempts, due_at=None, given_up_at=at)


def _update(session: Session, call_id: str, **values: Any) -> None:
    session.execute(update(CallPush).where(col(CallPush.call_id) == call_id).values(**values))


def take_over(session: Session, controller: str, now: datetime) -> list[str]:
    """After a start: what was being told is due; returns the calls of this controller that are still live."""
    own = select(col(Call.id)).where(col(Call.controller) == controller)
    session.execute(
        update(CallPush)
        .where(
            col(CallPush.due_at).is_(None),
            col(CallPush.given_up_at).is_(None),
            col(CallPush.call_id).in_(own),
        )
        .values(due_at=now)
        .execution_options(synchronize_session=False)
    )
    live = select(col(CallPush.call_id)).join(Call, col(Call.id) == col(CallPush.call_id))
    found = session.execute(
        live.where(
            col(Call.controller) == controller,
            col(Call.ended_at).is_(None),
            col(CallPush.given_up_at).is_(None),
        )
    )
    return list(found.scalars())


def due_calls(session: Session, now: datetime, limit: int = 200, controller: str | None = None) -> list[str]:
    """Calls of which something is to be told again; of one controller or of all."""
    query = (
        select(col(CallPush.call_id))
        .where(col(CallPush.due_at) <= now)
        .order_by(col(CallPush.due_at))
        .limit(limit)
    )
    if controller is not None:
        query = query.join(Call, col(Call.id) == col(CallPush.call_id)).where(
            col(Call.controller) == controller
        )
    return list(session.execute(query).scalars())


def next_due_call(session: Session, after: datetime) -> datetime | None:
    """When the next call is due, if any is waiting."""
    due: datetime | None = session.execute(
        select(func.min(col(CallPush.due_at))).where(col(CallPush.due_at) > after)
    ).scalar_one()
    return due

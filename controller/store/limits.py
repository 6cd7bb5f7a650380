"""How many calls there may be: counted from call rows, in the transaction that accepts the next one.

The rows themselves are the places that calls hold, so that none can leak, and every controller counts
the same. Only what is limited is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Select, bindparam, case, func, select
from sqlmodel import Session

from controller.rules.windows import Window
from controller.store.errors import Limit, LimitReached
from controller.store.prepared import Prepared
from controller.store.tables import Call

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Frequency:
    """How often an account may call the same person; without `refuse` it is only remarked."""

    windows: tuple[Window, ...]
    refuse: bool


@dataclass(frozen=True)
class Limits:
    """What limits a call: calls at a time (None: nothing), calls accepted in any second (0: nothing)."""

    app_calls: int
    account_calls: int | None = None
    number_calls: Mapping[str, int] = field(default_factory=dict)
    """Of the numbers that it shows."""
    app_rate: int = 0
    account_rate: int = 0
    platform_rate: int = 0
    frequency: Frequency | None = None


@dataclass(frozen=True)
class Place:
    """A call that may be made: how many more the app may have, and the windows that it goes beyond."""

    idle: int
    too_often: tuple[Window, ...] = ()


_CALL = cast(Any, Call).__table__


def _live(*conditions: Any) -> Select[Any]:
    return select(func.count()).select_from(_CALL).where(_CALL.c.ended_at.is_(None), *conditions)


_APP_CALLS = Prepared(_live(_CALL.c.app_key == bindparam("app")))
_ACCOUNT_CALLS = Prepared(_live(_CALL.c.account_id == bindparam("account")))
_SHOWS = _live(_CALL.c.display_number == bindparam("number"))
_SHOWS_SECOND = _live(
    _CALL.c.second_display_number == bindparam("number"), _CALL.c.display_number != bindparam("number")
)
_NUMBER_CALLS = Prepared(select(_SHOWS.scalar_subquery() + _SHOWS_SECOND.scalar_subquery()))
# By each controller's own clock, which a call's time is of: they must agree, and one that is off says so.
# Not after `until`: when a clock is put back, what was accepted before must not count for ever.
_ACCEPTED = Prepared(
    select(
        func.count(),
        func.coalesce(func.sum(case((_CALL.c.account_id == bindparam("account"), 1), else_=0)), 0),
        func.coalesce(func.sum(case((_CALL.c.app_key == bindparam("app"), 1), else_=0)), 0),
    ).where(_CALL.c.accepted_at > bindparam("since"), _CALL.c.accepted_at <= bindparam("until"))
)
_CALLED = (
    select(_CALL.c.accepted_at)
    .where(
        _CALL.c.addressee == bindparam("addressee"),
        _CALL.c.account_id == bindparam("account"),
        _CALL.c.accepted_at > bindparam("since"),
    )
    .order_by(_CALL.c.accepted_at.desc())
    .limit(1)
    .offset(bindparam("earlier"))
)


def check_limits(session: Session, call: Mapping[str, Any], limits: Limits) -> Place:
    """Whether there is a place for a call. Writes nothing. Raises LimitReached."""
    _check_rates(session, call, limits)
    idle = _check_live(session, call, limits)
    return Place(idle, _check_frequency(session, call, limits.frequency))


def _check_rates(session: Session, call: Mapping[str, Any], limits: Limits) -> None:
    allowed = (
        (Limit.PLATFORM_RATE, limits.platform_rate),
        (Limit.ACCOUNT_RATE, limits.account_rate),
        (Limit.APP_RATE, limits.app_rate),
    )
    if not any(most for _limit, most in allowed):
        return
    at: datetime = call["accepted_at"]
    span = {"since": at - _SECOND, "until": at + _SECOND}
    of_call = {"account": call["account_id"], "app": call["app_key"]}
    accepted = _ACCEPTED.run(session, {**span, **of_call}).fetchone()
    for (limit, most), count in zip(allowed, accepted, strict=True):
        if most and count >= most:
            raise LimitReached(limit, f"{count} of {most} calls were accepted in a second", _SECOND)


def _check_live(session: Session, call: Mapping[str, Any], limits: Limits) -> int:
    def check(limit: Limit, most: int, statement: Prepared, values: Mapping[str, Any]) -> int:
        live: int = statement.run(session, values).fetchone()[0]
        if live >= most:
            raise LimitReached(limit, f"{live} of {most} calls are live")
        return most - live - 1

    idle = check(Limit.APP_CALLS, limits.app_calls, _APP_CALLS, {"app": call["app_key"]})
    if limits.account_calls is not None:
        account = {"account": call["account_id"]}
        check(Limit.ACCOUNT_CALLS, limits.account_calls, _ACCOUNT_CALLS, account)
    for number, most in limits.number_calls.items():
        check(Limit.NUMBER_CALLS, most, _NUMBER_CALLS, {"number": number})
    return idle


def _check_frequency(
    session: Session, call: Mapping[str, Any], frequency: Frequency | None
) -> tuple[Window, ...]:
    if frequency is None:
        return ()
    at: datetime = call["accepted_at"]
    person = {"addressee": call["addressee"], "account": call["account_id"]}
    reached: dict[Window, timedelta] = {}
    for window in frequency.windows:
        # The call that must leave the window before another one may be made.
        place = {"since": at - window.length, "earlier": window.count - 1}
        oldest = session.connection().execute(_CALLED, {**person, **place}).scalar_one_or_none()
        if oldest is not None:
            reached[window] = oldest + window.length - at
    if reached and frequency.refuse:
        said = " and ".join(map(str, reached))
        raise LimitReached(Limit.FREQUENCY, f"the callee has had {said} calls", max(reached.values()))
    return tuple(reached)

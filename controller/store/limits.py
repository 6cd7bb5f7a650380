"""Whether there may be one more call: counted from call rows, in the transaction that accepts it.

The rows themselves are the places that calls hold, so that none can leak, and every controller counts
the same. Only what is limited is counted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import BindParameter, Select, and_, bindparam, exists, func, not_, select
from sqlmodel import Session

from controller.rules.windows import Window
from controller.store.errors import AskedBefore, Limit, LimitReached, Replayed
from controller.store.prepared import Prepared
from controller.store.tables import Call, StartedOnce, UsedNonce

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


@dataclass(frozen=True)
class NonceUse:
    """A digest of nonce and time, and until when it must be remembered."""

    app_key: str
    nonce: str
    expires_at: datetime


@dataclass(frozen=True)
class KeyUse:
    """The Idempotency-Key of a request that starts a call: `id` is the digest of app, path and key."""

    id: str
    body_digest: str
    expires_at: datetime


_CALL, _NONCE, _ONCE = (cast(Any, kind).__table__ for kind in (Call, UsedNonce, StartedOnce))
_OF_ACCOUNT = _CALL.c.account_id == bindparam("account_id")
_OF_APP = _CALL.c.app_key == bindparam("app_key")

# By each controller's own clock, which a call's time is of: they must agree, and one that is off says so.
# Not after `until`: when a clock is put back, what was accepted before must not count for ever.
# Not part of the other question: PostgreSQL plans one with a span of time anew each time that it is asked.
_RATES = Prepared(
    select(
        func.count().label("platform_rate"),
        func.count().filter(_OF_ACCOUNT).label("account_rate"),
        func.count().filter(_OF_APP).label("app_rate"),
    ).where(_CALL.c.accepted_at > bindparam("since"), _CALL.c.accepted_at <= bindparam("until"))
)


def place_for(
    session: Session, call: Mapping[str, Any], limits: Limits, nonce: NonceUse | None, key: KeyUse | None
) -> Callable[[], Place]:
    """Ask whether there is a place for a call, together with what is asked next. Writes nothing.

    The answer raises LimitReached, Replayed or AskedBefore.
    """
    windows = limits.frequency.windows if limits.frequency is not None else ()
    question = _question(
        account=limits.account_calls is not None,
        numbers=len(limits.number_calls),
        windows=len(windows),
        nonce=nonce is not None,
        key=key is not None,
    )
    values = _values(call, limits.number_calls, windows, nonce, key)
    is_rated = limits.platform_rate > 0 or limits.account_rate > 0 or limits.app_rate > 0
    rates = _RATES.asked(session, values) if is_rated else None
    asked = question.asked(session, values)

    def place() -> Place:
        if rates is not None:
            _check_rates(rates(), limits)
        found = asked()
        idle = _check_live(found, limits)
        too_often = _check_frequency(found, limits.frequency, call["accepted_at"])
        if nonce is not None and found["is_used"]:
            raise Replayed("the nonce was used before")
        if key is not None and found["is_known"]:
            raise AskedBefore("a call was started with the same key")
        return Place(idle, too_often)

    return place


@lru_cache(maxsize=64)
def _question(*, account: bool, numbers: int, windows: int, nonce: bool, key: bool) -> Prepared:
    """One for all that a call can be refused for, but rates."""
    counts = {"app_calls": _live(_OF_APP)}
    if account:
        counts["account_calls"] = _live(_OF_ACCOUNT)
    counts |= {f"number_calls_{place}": _showing(f"number_{place}") for place in range(numbers)}
    counts |= {f"oldest_{place}": _oldest(place) for place in range(windows)}
    columns = [count.scalar_subquery().label(name) for name, count in counts.items()]
    if nonce:
        its = (_NONCE.c.app_key == bindparam("nonce_app"), _NONCE.c.nonce == bindparam("nonce"))
        columns.append(exists().where(*its).label("is_used"))
    if key:
        columns.append(exists().where(_ONCE.c.id == bindparam("key")).label("is_known"))
    return Prepared(select(*columns))


def _live(condition: Any) -> Select[Any]:
    return select(func.count()).select_from(_CALL).where(_CALL.c.ended_at.is_(None), condition)


def _showing(name: str) -> Select[Any]:
    number: BindParameter[str] = bindparam(name)
    first, second = _CALL.c.display_number == number, _CALL.c.second_display_number == number
    counts = [_live(shows).scalar_subquery() for shows in (first, and_(second, not_(first)))]
    return select(counts[0] + counts[1])


def _oldest(window: int) -> Select[Any]:
    """The call that must leave a window before another one may be made."""
    return (
        select(_CALL.c.accepted_at)
        .where(
            _CALL.c.addressee == bindparam("addressee"),
            _OF_ACCOUNT,
            _CALL.c.accepted_at > bindparam(f"begin_{window}"),
        )
        .order_by(_CALL.c.accepted_at.desc())
        .limit(1)
        .offset(bindparam(f"later_{window}"))
    )


def _values(
    call: Mapping[str, Any],
    numbers: Iterable[str],
    windows: Sequence[Window],
    nonce: NonceUse | None,
    key: KeyUse | None,
) -> dict[str, Any]:
    at: datetime = call["accepted_at"]
    return {
        **call,
        "since": at - _SECOND,
        "until": at + _SECOND,
        **{f"number_{place}": number for place, number in enumerate(numbers)},
        **{f"begin_{place}": at - window.length for place, window in enumerate(windows)},
        **{f"later_{place}": window.count - 1 for place, window in enumerate(windows)},
        **({"nonce_app": nonce.app_key, "nonce": nonce.nonce} if nonce is not None else {}),
        **({"key": key.id} if key is not None else {}),
    }


def _check_rates(found: Mapping[str, Any], limits: Limits) -> None:
    for limit, name, most in (
        (Limit.PLATFORM_RATE, "platform_rate", limits.platform_rate),
        (Limit.ACCOUNT_RATE, "account_rate", limits.account_rate),
        (Limit.APP_RATE, "app_rate", limits.app_rate),
    ):
        if most and found[name] >= most:
            raise LimitReached(limit, f"{found[name]} of {most} calls were accepted in a second", _SECOND)


def _check_live(found: Mapping[str, Any], limits: Limits) -> int:
    def check(limit: Limit, name: str, most: int) -> int:
        live: int = found[name]
        if live >= most:
            raise LimitReached(limit, f"{live} of {most} calls are live")
        return most - live - 1

    idle = check(Limit.APP_CALLS, "app_calls", limits.app_calls)
    if limits.account_calls is not None:
        check(Limit.ACCOUNT_CALLS, "account_calls", limits.account_calls)
    for place, most in enumerate(limits.number_calls.values()):
        check(Limit.NUMBER_CALLS, f"number_calls_{place}", most)
    return idle


def _check_frequency(
    found: Mapping[str, Any], frequency: Frequency | None, at: datetime
) -> tuple[Window, ...]:
    if frequency is None:
        return ()
    reached: dict[Window, timedelta] = {}
    for place, window in enumerate(frequency.windows):
        oldest: datetime | None = found[f"oldest_{place}"]
        if oldest is not None:
            reached[window] = oldest + window.length - at
    if reached and frequency.refuse:
        said = " and ".join(map(str, reached))
        raise LimitReached(Limit.FREQUENCY, f"the callee has had {said} calls", max(reached.values()))
    return tuple(reached)

"""How many calls there are, begin and end, by account: few rows are read, whatever there has been."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from sqlalchemy import String, case, func, select
from sqlmodel import Session, col

from controller.store.billing_tables import Alarm
from controller.store.reviews import QueueState
from controller.store.tables import App, Call, Cdr, CdrPush, PushEndpoint, Review, Service

_APP, _CALL, _CDR, _PUSH, _ENDPOINT = (
    cast(Any, kind).__table__ for kind in (App, Call, Cdr, CdrPush, PushEndpoint)
)

_TO_THE_SECOND = 19
"""Characters of a time as text, to its second."""


class End(NamedTuple):
    """How calls ended; answered by whom they were for, or not."""

    account_id: str
    state_code: int
    answered: bool


Second = datetime
"""A time without a fraction of a second."""


def live_calls(session: Session) -> Counter[tuple[str, str]]:
    """Calls that go on, by account and service."""
    found = session.execute(
        select(_CALL.c.account_id, _CALL.c.service, func.count())
        .where(_CALL.c.ended_at.is_(None))
        .group_by(_CALL.c.account_id, _CALL.c.service)
    )
    return Counter({(account_id, service): count for account_id, service, count in found})


def accepted_calls(session: Session, since: Second) -> dict[Second, Counter[str]]:
    """Calls that were accepted then or later, by second and account."""
    second = _second(_CALL.c.accepted_at)
    found = session.execute(
        select(second, _CALL.c.account_id, func.count())
        .where(_CALL.c.accepted_at >= since)
        .group_by(second, _CALL.c.account_id)
    )
    counts: dict[Second, Counter[str]] = {}
    for text, account_id, count in found:
        counts.setdefault(_moment(text), Counter())[account_id] = count
    return counts


def ended_calls(session: Session, since: Second) -> dict[Second, Counter[End]]:
    """Calls that ended then or later, by second and how."""
    return _ended(session, _CDR.c.ended_at >= since)


def ended_after(session: Session, number: int) -> dict[Second, Counter[End]]:
    """Calls whose end was written down after the CDR of this number, by second and how."""
    return _ended(session, _CDR.c.number > number)


def last_number(session: Session) -> int:
    """Of the CDRs; 0 if there is none."""
    found: int | None = session.execute(select(func.max(_CDR.c.number))).scalar_one()
    return found or 0


def _ended(session: Session, condition: Any) -> dict[Second, Counter[End]]:
    second = _second(_CDR.c.ended_at)
    # Who stood in for whom it was for says nothing of that one.
    answered = case(
        (_CALL.c.service == Service.CALLBACK, _CDR.c.record[("second_leg", "answered")].as_string()),
        else_=_CDR.c.record[("first_leg", "answered")].as_string(),
    ).is_not(None)
    found = session.execute(
        select(second, _CALL.c.account_id, _CALL.c.state_code, answered, func.count())
        .select_from(_CDR.join(_CALL, _CALL.c.id == _CDR.c.call_id))
        .where(condition)
        .group_by(second, _CALL.c.account_id, _CALL.c.state_code, answered)
    )
    counts: dict[Second, Counter[End]] = {}
    for text, account_id, state_code, is_answered, count in found:
        counts.setdefault(_moment(text), Counter())[End(account_id, state_code, bool(is_answered))] = count
    return counts


def _second(column: Any) -> Any:
    return func.substr(func.cast(column, String), 1, _TO_THE_SECOND)


def _moment(text: str) -> Second:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass(frozen=True)
class Backlog:
    """What waits for somebody, by account."""

    waiting: Mapping[str, int]
    """CDRs whose next push has its time."""
    held: Mapping[str, int]
    """CDRs for disabled receivers."""
    filed: Mapping[str, int]
    """CDRs that were given up and stand in the CDR file."""
    failing: Mapping[str, int]
    """Receivers that failed last and are tried again."""
    disabled: Mapping[str, int]
    """Receivers that are sent nothing any more."""
    reviews: Mapping[str, int]
    """Submissions without a decision."""
    alarms: Mapping[str, int]
    """Raised lately."""


def backlog(session: Session, alarms_since: datetime) -> Backlog:
    """What waits now."""

    def by_account(table: type[Review] | type[Alarm], condition: Any) -> dict[str, int]:
        account = cast(Any, table).account_id
        found = session.execute(select(account, func.count()).where(condition).group_by(account))
        return {owner: count for owner, count in found}  # noqa: C416 - rows, not pairs

    accounts = {key: account_id for key, account_id in session.execute(select(_APP.c.key, _APP.c.account_id))}  # noqa: C416 - rows, not pairs

    def by_app(counted: Mapping[str, int]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for app_key, count in counted.items():
            if app_key in accounts:
                counts[accounts[app_key]] += count
        return counts

    # Read off one index, of what was not delivered alone.
    is_due, is_filed = _PUSH.c.due_at.is_not(None), _PUSH.c.filed_at.is_not(None)
    waiting, held, filed = Counter[str](), Counter[str](), Counter[str]()
    undelivered = session.execute(
        select(_PUSH.c.app_key, is_due, is_filed, func.count())
        .where(_PUSH.c.delivered_at.is_(None))
        .group_by(_PUSH.c.app_key, is_due, is_filed)
    )
    for app_key, due, was_filed, count in undelivered:
        (waiting if due else filed if was_filed else held)[app_key] += count
    failing, disabled = Counter[str](), Counter[str]()
    is_disabled = _ENDPOINT.c.disabled_at.is_not(None)
    in_trouble = session.execute(
        select(_ENDPOINT.c.app_key, is_disabled, func.count()).group_by(_ENDPOINT.c.app_key, is_disabled)
    )
    for app_key, its_disabled, count in in_trouble:
        (disabled if its_disabled else failing)[app_key] += count
    return Backlog(
        waiting=by_app(waiting),
        held=by_app(held),
        filed=by_app(filed),
        failing=by_app(failing),
        disabled=by_app(disabled),
        reviews=by_account(Review, col(Review.state) == QueueState.PENDING),
        alarms=by_account(Alarm, col(Alarm.at) >= alarms_since),
    )

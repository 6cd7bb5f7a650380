"""Alarms in the database, and what of them can only be seen there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from controller.store.billing_tables import Alarm
from controller.store.notices import tell_all
from controller.store.tables import Call

EVENT = "alarm"
"""What contacts are told of."""

_ALARM = cast(Any, Alarm).__table__
_INSERT = {
    "sqlite": sqlite.insert(_ALARM).on_conflict_do_nothing().returning(_ALARM.c.reference),
    "postgresql": postgresql.insert(_ALARM).on_conflict_do_nothing().returning(_ALARM.c.reference),
}


@dataclass(frozen=True)
class Raised:
    """An alarm to be raised; once for each `reference`."""

    account_id: str
    kind: str
    reference: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


def raise_alarms(session: Session, alarms: Iterable[Raised]) -> list[Raised]:
    """Keep those that were not raised before, and tell the accounts' contacts of them; returns them."""
    by_reference: dict[str, Raised] = {}
    for alarm in alarms:
        by_reference.setdefault(alarm.reference, alarm)
    if not by_reference:
        return []
    connection = session.connection()
    new = connection.execute(
        _INSERT[connection.dialect.name], [asdict(each) for each in by_reference.values()]
    )
    raised = set(new.scalars())
    kept = [alarm for alarm in by_reference.values() if alarm.reference in raised]
    tell_all(
        session, EVENT, [(each.account_id, {"alarm": each.kind, **each.detail}, each.at) for each in kept]
    )
    return kept


def alarms_page(
    session: Session, account_id: str | None, limit: int, *, before: int | None = None
) -> Sequence[Alarm]:
    """The newest alarms, of one account or of all; `before` is the id of the last one on the page before."""
    wanted = select(Alarm)
    if account_id is not None:
        wanted = wanted.where(col(Alarm.account_id) == account_id)
    if before is not None:
        wanted = wanted.where(col(Alarm.id) < before)
    return session.execute(wanted.order_by(col(Alarm.id).desc()).limit(limit)).scalars().all()


def neighbourhoods(session: Session, since: datetime, digits: int, most: int) -> list[tuple[str, str, int]]:
    """(account, beginning, how many): who has called `most` numbers that share all but their last digits.

    :param digits: at a number's end, that neighbours need not share.
    """
    number = col(Call.addressee)
    beginning = func.substr(number, 1, func.length(number) - digits)
    different = func.count(number.distinct())
    found = session.execute(
        select(col(Call.account_id), beginning, different)
        .where(col(Call.accepted_at) > since, number.is_not(None))
        .group_by(col(Call.account_id), beginning)
        .having(different >= most)
    )
    return [(account, hood, count) for account, hood, count in found]

"""What each controller has its accounts' calls cost today, where several share a day's cap."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import bindparam, delete, func, select
from sqlalchemy.dialects import postgresql
from sqlmodel import Field, Session, SQLModel, col

from controller.rules.amounts import from_units
from controller.store.billing_tables import amount_column
from controller.store.prepared import Prepared


class Spent(SQLModel, table=True):
    """A day of an account at one controller."""

    account_id: str = Field(primary_key=True, foreign_key="account.id")
    controller: str = Field(primary_key=True, max_length=128)
    day: str = Field(primary_key=True, max_length=10)
    ended: Decimal = amount_column()
    """Calls that it has ended."""
    live: Decimal = amount_column()
    """What its live calls hold."""


_SPENT = cast(Any, Spent).__table__
_INSERT = postgresql.insert(_SPENT)
_NOTE = Prepared(
    _INSERT.on_conflict_do_update(
        index_elements=[_SPENT.c.account_id, _SPENT.c.controller, _SPENT.c.day],
        set_={"ended": _INSERT.excluded.ended, "live": _INSERT.excluded.live},
    )
)
_OTHERS = Prepared(
    select(func.sum(_SPENT.c.ended).label("ended"), func.sum(_SPENT.c.live).label("live")).where(
        _SPENT.c.account_id == bindparam("account"),
        _SPENT.c.day == bindparam("day"),
        _SPENT.c.controller != bindparam("controller"),
    )
)

Sums = tuple[Decimal, Decimal]
"""(ended, live)"""


def note(session: Session, controller: str, day: str, spent: Mapping[str, Sums]) -> None:
    """Let the others know what this controller's calls cost, by account."""
    for account, (ended, live) in sorted(spent.items()):
        key = {"account_id": account, "controller": controller, "day": day}
        _NOTE.later(session, {**key, "ended": ended, "live": live}, tuple(key.values()))


def forget_before(session: Session, controller: str, day: str) -> None:
    """Remove what this controller noted on earlier days."""
    session.execute(
        delete(Spent)
        .where(col(Spent.controller) == controller, col(Spent.day) < day)
        .execution_options(synchronize_session=False)
    )


def noted(session: Session, controller: str, day: str) -> dict[str, Sums]:
    """What the others know that this controller's calls cost, by account."""
    columns = (col(Spent.account_id), col(Spent.ended), col(Spent.live))
    query = select(*columns).where(col(Spent.controller) == controller, col(Spent.day) == day)
    return {account: (ended, live) for account, ended, live in session.execute(query)}


def elsewhere(session: Session, controller: str, day: str) -> dict[str, Sums]:
    """What calls of all other controllers cost, by account."""
    query = (
        select(col(Spent.account_id), func.sum(col(Spent.ended)), func.sum(col(Spent.live)))
        .where(col(Spent.day) == day, col(Spent.controller) != controller)
        .group_by(col(Spent.account_id))
    )
    zero = from_units(0)
    return {account: (ended or zero, live or zero) for account, ended, live in session.execute(query)}


def of_account_elsewhere(session: Session, controller: str, day: str, account_id: str) -> Decimal:
    """What an account's calls cost at all other controllers."""
    asked = {"account": account_id, "day": day, "controller": controller}
    found = _OTHERS.asked(session, asked)()
    return sum((cost for cost in found.values() if cost is not None), from_units(0))

"""Prices, settlements and rated calls in the database."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Select, Text, bindparam, func, select, tuple_
from sqlalchemy import cast as sql_cast
from sqlmodel import Session, col

from controller.store.billing_tables import Price, RatedCall, Settlement
from controller.store.errors import Refused
from controller.store.many import insert_all
from controller.store.tables import ALLOTTED, Account, Cdr, Number

Row = Mapping[str, Any]

_RATED, _CDR = cast(Any, RatedCall).__table__, cast(Any, Cdr).__table__
_RECORD = sql_cast(_CDR.c.record, Text)
_UNRATED = (
    select(_CDR.c.call_id, _CDR.c.ended_at, _RECORD)
    .where(
        _CDR.c.ended_at >= bindparam("since"),
        _CDR.c.ended_at < bindparam("until"),
        ~select(_RATED.c.call_id).where(_RATED.c.call_id == _CDR.c.call_id).exists(),
    )
    .order_by(_CDR.c.ended_at, _CDR.c.call_id)
    .limit(bindparam("most"))
)

_ALL = 2**62
"""A limit that is none."""


class SettlementClosed(Refused):
    """Somebody else has finished this settlement meanwhile."""


def prices(session: Session) -> Sequence[Price]:
    """Every price that there was, oldest first."""
    return session.execute(select(Price).order_by(col(Price.valid_from), col(Price.id))).scalars().all()


def add_prices(session: Session, new: Sequence[Price]) -> None:
    """Keep prices that there were not."""
    insert_all(session, new)


def newest_price(session: Session, account_id: str) -> Price:
    """The price of an account that was written last."""
    wanted = select(Price).where(col(Price.account_id) == account_id)
    found: Price = session.execute(wanted.order_by(col(Price.id).desc()).limit(1)).scalar_one()
    return found


def first_price(session: Session) -> datetime | None:
    """Since when there are prices."""
    found: datetime | None = session.execute(select(func.min(col(Price.valid_from)))).scalar_one()
    return found


def open_settlement(session: Session, now: datetime) -> tuple[Settlement, datetime | None]:
    """The settlement that was not finished, else a new one; and until when everything was settled before."""
    before: datetime | None = session.execute(
        select(func.max(col(Settlement.until))).where(col(Settlement.posted_at).is_not(None))
    ).scalar_one()
    found = session.execute(
        select(Settlement).where(col(Settlement.posted_at).is_(None)).with_for_update()
    ).scalar_one_or_none()
    if found is None:
        found = Settlement(started_at=now, until=now)
        session.add(found)
        session.flush()
    session.expunge(found)
    return found, before


def first_unsettled_end(session: Session) -> datetime | None:
    """The earliest end of a call whose record was written after all that are rated; None: there is none."""
    newest_rated = (
        select(_CDR.c.number)
        .where(select(_RATED.c.call_id).where(_RATED.c.call_id == _CDR.c.call_id).exists())
        .order_by(_CDR.c.number.desc())
        .limit(1)
        .scalar_subquery()
    )
    found: datetime | None = session.execute(
        select(func.min(_CDR.c.ended_at)).where(_CDR.c.number > func.coalesce(newest_rated, 0))
    ).scalar_one()
    return found


def lock_settlement(session: Session, settlement_id: int) -> Settlement:
    """The row of a settlement that is not finished; no other controller has it meanwhile.

    Raises SettlementClosed.
    """
    found: Settlement | None = session.execute(
        select(Settlement)
        .where(col(Settlement.id) == settlement_id, col(Settlement.posted_at).is_(None))
        .with_for_update()
    ).scalar_one_or_none()
    if found is None:
        raise SettlementClosed(f"settlement {settlement_id} was finished by another controller")
    return found


@dataclass(frozen=True)
class UnratedCall:
    """A call detail record that nobody has put a price to; `record` is its JSON."""

    call_id: str
    ended_at: datetime
    record: str


def unrated_calls(session: Session, since: datetime, until: datetime, most: int) -> list[UnratedCall]:
    """The calls that ended in this time and were not rated, oldest first."""
    values = {"since": since, "until": until, "most": most}
    return [UnratedCall(*row) for row in session.connection().execute(_UNRATED, values)]


def add_ratings(session: Session, settlement_id: int, ratings: Sequence[Row]) -> int:
    """Rate calls in a settlement, but those that were rated meanwhile; returns how many.

    Raises SettlementClosed.
    """
    settlement = lock_settlement(session, settlement_id)
    if settlement.rated_at is not None:
        raise SettlementClosed(f"all calls of settlement {settlement_id} were rated by another controller")
    connection = session.connection()
    wanted = [rating["call_id"] for rating in ratings]
    rated = set(connection.execute(select(_RATED.c.call_id).where(_RATED.c.call_id.in_(wanted))).scalars())
    new = [{**rating, "settlement_id": settlement_id} for rating in ratings if rating["call_id"] not in rated]
    if new:
        connection.execute(_RATED.insert(), new)
    return len(new)


def all_unrated_calls(
    session: Session, since: datetime, until: datetime, at_once: int
) -> Iterator[UnratedCall]:
    """All calls that ended in this time and were not rated, read piece by piece."""
    values = {"since": since, "until": until, "most": _ALL}
    found = session.connection().execution_options(yield_per=at_once).execute(_UNRATED, values)
    return (UnratedCall(*row) for row in found)


@dataclass(frozen=True)
class Total:
    """What the calls of an account come to."""

    account_id: str
    calls: int
    minutes: int
    amount: Decimal


def totals_of_settlement(session: Session, settlement_id: int) -> list[Total]:
    """What each account's calls come to in one settlement."""
    return _totals(session, col(RatedCall.settlement_id) == settlement_id)


def totals_of_day(session: Session, day: str) -> list[Total]:
    """What each account's calls come to that ended on a day and were rated."""
    return _totals(session, col(RatedCall.day) == day)


def _totals(session: Session, condition: Any) -> list[Total]:
    found = session.execute(
        select(
            col(RatedCall.account_id),
            func.count(),
            func.sum(col(RatedCall.minutes)),
            func.sum(col(RatedCall.amount)),
        )
        .where(condition)
        .group_by(col(RatedCall.account_id))
        .order_by(col(RatedCall.account_id))
    )
    return [Total(*row) for row in found]


def prepaid_accounts(session: Session, accounts: Sequence[str]) -> set[str]:
    """Those of the accounts that are charged."""
    wanted = select(col(Account.id)).where(col(Account.prepaid), col(Account.id).in_(accounts))
    return set(session.execute(wanted).scalars())


def rented_numbers(
    session: Session, account_id: str | None = None, numbers: Sequence[str] | None = None
) -> list[tuple[str, str]]:
    """(account, number) of the numbers that prepaid accounts have; of this one, or of these numbers, only."""
    wanted = (
        select(col(Number.account_id), col(Number.number))
        .join(Account, col(Account.id) == col(Number.account_id))
        .where(col(Account.prepaid), col(Number.state).in_(ALLOTTED))
        .order_by(col(Number.account_id), col(Number.number))
    )
    if account_id is not None:
        wanted = wanted.where(col(Number.account_id) == account_id)
    if numbers is not None:
        wanted = wanted.where(col(Number.number).in_(numbers))
    return [(account, number) for account, number in session.execute(wanted)]


@dataclass(frozen=True)
class Usage:
    """What an app did on a day."""

    day: str
    app_key: str
    service: str
    calls: int
    answered: int
    legs: int
    seconds: int
    minutes: int
    amount: Decimal


USAGE_KEYS = (col(RatedCall.day), col(RatedCall.app_key), col(RatedCall.service))
"""What there is one `Usage` of."""


def usage_statement(account_id: str, since: str, until: str) -> Select[Any]:
    """Selects the fields of `Usage`, from the first day to the last one, without an order."""
    sums = ("legs", "seconds", "minutes", "amount")
    answered = func.count().filter(col(RatedCall.legs) > 0).label("answered")
    columns: list[Any] = [
        *USAGE_KEYS,
        func.count().label("calls"),
        answered,
        *(func.sum(_RATED.c[name]).label(name) for name in sums),
    ]
    return (
        select(*columns)
        .where(
            col(RatedCall.account_id) == account_id, col(RatedCall.day) >= since, col(RatedCall.day) <= until
        )
        .group_by(*USAGE_KEYS)
    )


def usage(session: Session, account_id: str, since: str, until: str) -> list[Usage]:
    """Day by day and app by app, from the first day to the last one, as far as calls were rated."""
    found = session.execute(usage_statement(account_id, since, until).order_by(*USAGE_KEYS))
    return [Usage(*row) for row in found]


def rated_calls(
    session: Session, account_id: str, until: datetime, after: tuple[datetime, str], most: int
) -> Sequence[RatedCall]:
    """Calls that ended before `until`, oldest first; `after` is (end, call) of the last one of before."""
    place = tuple_(col(RatedCall.ended_at), col(RatedCall.call_id))
    wanted = (
        select(RatedCall)
        .where(
            col(RatedCall.account_id) == account_id,
            col(RatedCall.ended_at) < until,
            # Compared as one, or each piece would read all before it once more.
            place > tuple_(*after),
        )
        .order_by(col(RatedCall.ended_at), col(RatedCall.call_id))
        .limit(most)
    )
    return session.execute(wanted).scalars().all()


def rating_of(session: Session, account_id: str, call_id: str) -> RatedCall | None:
    """What a call of this account cost, once it was rated."""
    found = session.get(RatedCall, call_id)
    return found if found is not None and found.account_id == account_id else None

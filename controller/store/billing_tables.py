"""The tables of money: prices, rated calls, the ledger; what holds accounts back, and alarms.

Amounts are whole ten-thousandths of the currency. Prices, rated calls and transfers are never changed:
the migration that makes them has triggers which refuse that.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    TypeDecorator,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from controller.rules.amounts import from_units, to_units
from controller.store.tables import UtcDateTime


class Amount(TypeDecorator[Decimal]):
    """Exact amounts on every engine: integers in the database, decimals outside."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        del dialect
        return None if value is None else to_units(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        del dialect
        return None if value is None else from_units(int(value))


def amount_column(*, nullable: bool = False) -> Any:
    """The column of an amount, as a field."""
    return Field(default=None, sa_column=Column(Amount, nullable=nullable))


def _time(*, nullable: bool = False, index: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable, index=index))


class Price(SQLModel, table=True):
    """What calls and numbers cost from a moment on: an account's, or the platform's if it names none."""

    __table_args__ = (UniqueConstraint("account_id", "valid_from"),)

    id: int | None = Field(default=None, primary_key=True)
    account_id: str | None = Field(default=None, foreign_key="account.id", index=True)
    valid_from: datetime = _time()
    minute: Decimal | None = amount_column(nullable=True)
    """Of one leg, each started minute; None: the platform's."""
    number_month: Decimal | None = amount_column(nullable=True)
    """Of one number; None: the platform's."""


class Settlement(SQLModel, table=True):
    """A run that rates all calls that ended before `until`; there is one unfinished run at most."""

    id: int | None = Field(default=None, primary_key=True)
    started_at: datetime = _time()
    until: datetime = _time()
    rated_at: datetime | None = _time(nullable=True)
    """From then on no call is added to it."""
    posted_at: datetime | None = _time(nullable=True)


class RatedCall(SQLModel, table=True):
    """What a call cost. Its key is the call's: no call is rated twice; it stays when the call is purged."""

    __tablename__ = "rated_call"
    __table_args__ = (
        Index("ix_rated_call_account", "account_id", "ended_at", "call_id"),
        Index("ix_rated_call_day", "account_id", "day"),
        Index("ix_rated_call_settlement", "settlement_id", "account_id"),
    )

    call_id: str = Field(primary_key=True)
    settlement_id: int = Field(foreign_key="settlement.id")
    account_id: str
    app_key: str
    service: str
    ended_at: datetime = _time()
    day: str = Field(max_length=10)
    """On which it ended, in the zone of the bills."""
    legs: int
    """That were answered."""
    seconds: int
    minutes: int
    """Started ones, of all legs that cost something."""
    minute_price: Decimal = amount_column()
    amount: Decimal = amount_column()


class LedgerTransfer(SQLModel, table=True):
    """One transaction of the double-entry ledger: what is debited from one account is credited to another."""

    __tablename__ = "ledger_transfer"
    __table_args__ = (
        CheckConstraint("amount > 0", name="ck_ledger_transfer_amount"),
        CheckConstraint("debit <> credit", name="ck_ledger_transfer_sides"),
        Index("ix_ledger_transfer_account", "account_id", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    account_id: str = Field(sa_column=Column(ForeignKey("account.id"), nullable=False))
    """The customer whose transaction it is."""
    at: datetime = _time()
    kind: str
    debit: str
    credit: str
    amount: Decimal = amount_column()
    text: str = ""
    reference: str = Field(unique=True, max_length=200)
    """What makes it the same transaction when it is posted again."""
    settlement_id: int | None = Field(default=None, foreign_key="settlement.id")
    """Of the calls that it charges."""
    posted_by: str = ""


class HoldReason(StrEnum):
    """Why an account, or the whole platform, makes no calls."""

    EXHAUSTED = "exhausted"
    """Nothing is left of what was prepaid."""
    STOPPED = "stopped"
    """Somebody pulled the kill switch."""


class Hold(SQLModel, table=True):
    """Something that keeps calls from being made, as long as the row is there."""

    scope: str = Field(primary_key=True, max_length=32)
    """An account, or EVERYTHING."""
    reason: str = Field(primary_key=True)
    since: datetime = _time()
    note: str = ""
    ends_calls: bool = False
    """Whether calls under way are ended too."""


EVERYTHING = ""
"""Scope of what holds the whole platform."""


class Alarm(SQLModel, table=True):
    """Something about an account's money or calls that a person should look at."""

    __table_args__ = (Index("ix_alarm_account", "account_id", "id"),)

    id: int | None = Field(default=None, primary_key=True)
    account_id: str
    kind: str
    reference: str = Field(unique=True, max_length=200)
    """An alarm is raised once, however many controllers see its reason."""
    at: datetime = _time()
    detail: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))

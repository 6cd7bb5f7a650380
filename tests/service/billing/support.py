"""Calls that have ended, accounts and prices in a database, without anything that makes calls."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlmodel import Session
from unit.calls.support import ACCOUNT, APP

from controller.billing.prices import OwnTariff, set_price
from controller.calls.cdr import CallDetailRecord
from controller.calls.timeline import LegTimes
from controller.settings import BillingSettings
from controller.store.tables import Account, App, Call, Cdr

NOW = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
SETTINGS = BillingSettings()
A, B = "+8613900001111", "+8613900002222"


def money(text: str) -> Decimal:
    return Decimal(text)


@dataclass
class SetClock:
    """Stands still until it is set."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def pass_(self, **spans: float) -> datetime:
        self.time += timedelta(**spans)
        return self.time


@dataclass(frozen=True)
class Made:
    """A call that has ended: seconds from the answer of each leg to the end, None if there was none."""

    id: str
    ended_at: datetime = NOW
    first: float | None = 30.0
    second: float | None = None
    second_callee: str | None = None
    account_id: str = ACCOUNT
    app_key: str = APP
    callee: str = A
    more: dict[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        return CallDetailRecord(
            record_id=f"CAE-{self.id}",
            session_id=f"{self.id}@host",
            account_id=self.account_id,
            app_key=self.app_key,
            service="callback" if self.second_callee else "notification",
            host_name="host",
            display_number="+8657126880001",
            callee=self.callee,
            second_display_number="+8657126880002" if self.second_callee else None,
            second_callee=self.second_callee,
            first_leg=LegTimes(answered=self._answered(self.first)),
            second_leg=LegTimes(answered=self._answered(self.second)),
            ended_at=self.ended_at,
            state_code=0,
            cut_point=0,
            sip_status=0,
            first_leg_cause=0,
            second_leg_cause=0,
            collection_started_at=None,
            keys="",
            tts_plays=0,
            recording_name=None,
            recording_started_at=None,
            user_data=None,
        ).to_json()

    def _answered(self, seconds: float | None) -> datetime | None:
        return None if seconds is None else self.ended_at - timedelta(seconds=seconds)

    def rows(self) -> tuple[dict[str, Any], dict[str, Any]]:
        call = {
            "id": self.id,
            "session_id": f"{self.id}@host",
            "account_id": self.account_id,
            "app_key": self.app_key,
            "service": "notification",
            "controller": "host",
            "node": "node1",
            "display_number": "+8657126880001",
            "callee": self.callee,
            "addressee": self.second_callee or self.callee,
            "accepted_at": self.ended_at - timedelta(seconds=60),
            "ended_at": self.ended_at,
            "push_profile": "compat",
        }
        cdr = {
            "call_id": self.id,
            "app_key": self.app_key,
            "ended_at": self.ended_at,
            "record": msgspec.to_builtins(self.record()),
        }
        return call, cdr


def add_calls(session: Session, calls: Iterable[Made]) -> None:
    rows = [call.rows() for call in calls]
    session.connection().execute(Call.__table__.insert(), [call for call, _cdr in rows])
    session.connection().execute(Cdr.__table__.insert(), [cdr for _call, cdr in rows])


def prepare(
    session: Session, *, prepaid: bool = True, prices_from: datetime = NOW - timedelta(days=30)
) -> None:
    """The shipped prices, in force for a while, and whether the account is charged."""
    set_price(
        session,
        None,
        OwnTariff(SETTINGS.minute_price, SETTINGS.number_price),
        prices_from,
    )
    account = session.get(Account, ACCOUNT)
    assert account is not None
    account.prepaid = prepaid


def add_account(session: Session, name: str, *, prepaid: bool = True) -> None:
    session.add(Account(id=name, prepaid=prepaid))
    session.flush()
    session.add(App(key=f"app-of-{name}", account_id=name, service="notification", secret="12345678"))
    session.flush()

"""The money of a running controller: the meter of its calls, what watches it, and what settles every hour."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlmodel import Session

from controller.billing import prices
from controller.billing.alarms import AnswerRates, neighbour_alarms, spending_alarms
from controller.billing.calendar import Calendar
from controller.billing.overview import spent_today
from controller.billing.prices import OwnTariff
from controller.billing.rent import charge_all_rents
from controller.billing.settlement import Settling
from controller.billing.spending import Spending, Terms
from controller.clock import Clock
from controller.rules.amounts import from_units
from controller.settings import AlarmSettings, BillingSettings
from controller.store.alarms import Raised, raise_alarms
from controller.store.database import Database
from controller.store.spent import elsewhere

log = logging.getLogger(__name__)

LOOK_INTERVAL = 1.0
"""Seconds from one look at the spending to the next."""
_NEIGHBOUR_INTERVAL = timedelta(seconds=30)
_LONGEST_SLEEP = 60.0
"""Seconds; the clock may be set meanwhile."""
_REMEMBERED = 1000
"""Alarms that this controller knows it has raised; the database knows all."""


class Billing:
    """Everything about money that goes on while calls are made."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: BillingSettings,
        alarms: AlarmSettings,
        terms: Terms,
        is_free: Callable[[str], bool],
        minute: timedelta,
        controller: str | None = None,
    ) -> None:
        """`controller`: its name where several share the database."""
        self._database = database
        self._clock = clock
        self._settings = settings
        self._alarms = alarms
        self._terms = terms
        self._is_free = is_free
        self._minute = minute
        self._calendar = Calendar(settings.zone_info)
        self._rates = AnswerRates(alarms.answered_percent, alarms.answered_calls)
        self._raised: dict[str, None] = {}
        self._neighbours_at = clock.now()
        self._revision: int | None = None
        self.settling = Settling(database, clock, settings, is_free, minute)
        self.spending = Spending(clock, self._calendar, terms, is_free, minute, controller)
        self._controller = controller

    async def open(self) -> None:
        """Note the prices of the settings, and what was spent today already."""
        tariff = OwnTariff(self._settings.minute_price, self._settings.number_price)
        now = self._clock.now()
        await self._database.write(lambda session: prices.set_price(session, None, tariff, now))
        await self._read_prices()
        self.spending.start_from(await self._database.read(lambda session: self._spent_here(session, now)))
        await self._exchange()

    def _spent_here(self, session: Session, now: datetime) -> dict[str, Decimal]:
        """What the day's ended calls cost, but what other controllers count already."""
        spent = dict(spent_today(session, now, self._calendar, self._is_free, self._minute))
        if self._controller is not None:
            day = self._calendar.day(now).isoformat()
            for account, (ended, _live) in elsewhere(session, self._controller, day).items():
                spent[account] = max(spent.get(account, from_units(0)) - ended, from_units(0))
        return spent

    async def _exchange(self) -> None:
        """Let other controllers know, and be told, what calls cost today."""
        if self._controller is not None:
            self.spending.others_spent(await self._database.write(self.spending.exchange))

    def works(self, cut_off: Callable[[str], object]) -> tuple[Coroutine[Any, Any, None], ...]:
        """What goes on in the background; `cut_off` ends the call with this id."""
        return self._watch(cut_off), self._settle_always()

    async def _read_prices(self) -> None:
        revision = self._terms.revision
        if revision != self._revision:
            self.spending.prices = await self._database.read(prices.read_prices)
            self._revision = revision

    async def _watch(self, cut_off: Callable[[str], object]) -> None:
        while True:
            try:
                await self.look(cut_off)
            except Exception:
                log.exception("The spending can't be watched; trying again")
            await asyncio.sleep(LOOK_INTERVAL)

    async def look(self, cut_off: Callable[[str], object]) -> None:
        """End calls that can't be paid or must end, and raise alarms."""
        overdrawn = self.spending.overdrawn()
        await self._exchange()
        for call_id in [*overdrawn, *self.spending.taken_back()]:
            log.warning("A call is ended: the day's cap is reached", extra={"call": call_id})
            cut_off(call_id)
        for account_id in self._terms.must_end():
            for call_id in self.spending.live_calls(account_id):
                cut_off(call_id)
        await self._read_prices()
        await self._raise(self._alarms_now())
        now = self._clock.now()
        if self._alarms.neighbours and now >= self._neighbours_at:
            self._neighbours_at = now + _NEIGHBOUR_INTERVAL
            most = self._alarms.neighbours
            await self._raise(await self._database.read(lambda session: neighbour_alarms(session, most, now)))

    def _alarms_now(self) -> list[Raised]:
        now = self._clock.now()
        spent = self.spending.all_spent()
        caps = {
            account_id: cap for account_id in spent if (cap := self._terms.cap_of(account_id)) is not None
        }
        day = self._calendar.day(now).isoformat()
        return [
            *spending_alarms(spent, caps, day, now),
            *self._rates.watch(self.spending.take_ended()),
        ]

    async def _raise(self, alarms: list[Raised]) -> None:
        """Keep and log each alarm once, whoever else raises it or has raised it before."""
        new = [alarm for alarm in alarms if alarm.reference not in self._raised]
        if not new:
            return
        kept = await self._database.write(lambda session: raise_alarms(session, new))
        self._raised |= dict.fromkeys(alarm.reference for alarm in new)
        while len(self._raised) > _REMEMBERED:
            del self._raised[next(iter(self._raised))]
        for alarm in kept:
            log.warning("Alarm", extra={"account": alarm.account_id, "alarm": alarm.kind})

    async def _settle_always(self) -> None:
        while True:
            try:
                await self.settle()
            except Exception:
                log.exception("The settlement failed; it goes on the next time")
            await self._until(_next(self._clock.now(), self._settings.settle_minutes))

    async def settle(self) -> None:
        """Charge rents and calls that are due."""
        now, low = self._clock.now(), self._settings.low_balance
        rents = await charge_all_rents(self._database, now, self._calendar, low)
        settled = await self.settling.settle()
        if rents or settled.calls:
            log.info(
                "Settled",
                extra={"calls": settled.calls, "accounts": settled.accounts, "numbers": rents},
            )

    async def _until(self, moment: datetime) -> None:
        while (left := (moment - self._clock.now()).total_seconds()) > 0:  # noqa: ASYNC110 - the clock's
            await asyncio.sleep(min(left, _LONGEST_SLEEP))


def _next(now: datetime, minutes: float) -> datetime:
    """The next full interval: with 60 minutes, the next full hour."""
    interval = minutes * 60
    return datetime.fromtimestamp((now.timestamp() // interval + 1) * interval, UTC)

"""Settlement: every call is rated once, and charged to its account once, whatever happens in between.

A settlement is a row. Calls are rated in small batches, with pauses in which calls can write; each batch is a
transaction. When all are rated the row says so, no call can be added any more, and one transaction posts
what each account owes and finishes the row. A crash leaves a row that is not finished: the next run goes on
with it. A call's rating has the call's id as its key, a charge has the settlement's and the account's.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from sqlmodel import Session

from controller.billing import ledger, prices
from controller.billing.calendar import Calendar
from controller.billing.prices import PriceBook
from controller.billing.rating import MINUTE, decode_record, rate
from controller.clock import Clock
from controller.settings import BillingSettings
from controller.store import ratings as rows
from controller.store.database import Database
from controller.store.ratings import SettlementClosed, UnratedCall

log = logging.getLogger(__name__)

_LATE = timedelta(hours=48)
"""How long after its end a call's record may be written and is still found: while the database was away."""

BATCH, PAUSE = 100, 0.02
"""Calls rated in one transaction, and seconds in which others may write."""


@dataclass(frozen=True)
class Settled:
    """What a run did."""

    calls: int
    accounts: int


class Settling:
    """Settles; may be asked again at any time."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        settings: BillingSettings,
        is_free: Callable[[str], bool],
        minute: timedelta = MINUTE,
        batch: int = BATCH,
        pause: float = PAUSE,
    ) -> None:
        self._database = database
        self._clock = clock
        self._settings = settings
        self._calendar = Calendar(settings.zone_info)
        self._is_free = is_free
        self._minute = minute
        self._batch = batch
        self._pause = pause

    async def settle(self) -> Settled:
        """Rate and charge every call that has ended until now; go on with what was not finished first."""
        settlement, before = await self._database.write(
            lambda session: rows.open_settlement(session, self._clock.now())
        )
        number = settlement.id
        assert number is not None
        begin = await self._database.read(rows.first_price)
        calls = 0
        try:
            if settlement.rated_at is None and begin is not None:
                since = begin if before is None else max(begin, await self._looked_at_until(before))
                calls = await self._rate_all(number, since, settlement.until)
            await self._database.write(lambda session: _close(session, number, self._clock.now()))
            totals = await self._database.read(lambda session: rows.totals_of_settlement(session, number))
            accounts = await self._database.write(
                lambda session: self._charge(session, number, settlement.until, totals)
            )
        except SettlementClosed as closed:
            # Whoever closed it has charged all of it.
            log.info("A settlement was finished elsewhere", extra={"reason": str(closed)})
            return Settled(calls, 0)
        return Settled(calls, accounts)

    async def _looked_at_until(self, before: datetime) -> datetime:
        """From when on calls may have ended that settlements until `before` did not find."""
        # Calls that were left behind ended with their controller, and it may have been gone for days.
        first = await self._database.read(rows.first_unsettled_end)
        return min(before - _LATE, first or before)

    async def _rate_all(self, settlement_id: int, since: datetime, until: datetime) -> int:
        book = await self._database.read(prices.read_prices)
        calls = 0
        while True:
            ratings, last = await self._database.read(
                partial(self._rate_some, book=book, since=since, until=until)
            )
            if last is None:
                return calls
            if ratings:
                calls += await self._database.write(
                    partial(rows.add_ratings, settlement_id=settlement_id, ratings=ratings)
                )
            elif last == since:
                return calls
            since = last
            await asyncio.sleep(self._pause)

    def _rate_some(
        self, session: Session, book: PriceBook, since: datetime, until: datetime
    ) -> tuple[list[dict[str, Any]], datetime | None]:
        """Ratings of the next calls, and when the last of them ended; None: there are no more."""
        found = rows.unrated_calls(session, since, until, self._batch)
        ratings = [rating for call in found if (rating := self._rating(call, book)) is not None]
        return ratings, found[-1].ended_at if found else None

    def _rating(self, call: UnratedCall, book: PriceBook) -> dict[str, Any] | None:
        try:
            record = decode_record(call.record)
        except msgspec.DecodeError as error:
            log.error("A call can't be rated", extra={"call": call.call_id, "error": str(error)})
            return None
        rating = rate(
            record.legs,
            record.ended_at,
            lambda at: book.at(record.account_id, at).minute,
            self._is_free,
            self._minute,
        )
        return {
            "call_id": call.call_id,
            "account_id": record.account_id,
            "app_key": record.app_key,
            "service": record.service,
            "ended_at": call.ended_at,
            "day": self._calendar.day(call.ended_at).isoformat(),
            "legs": rating.legs,
            "seconds": rating.seconds,
            "minutes": rating.minutes,
            "minute_price": rating.minute_price,
            "amount": rating.amount,
        }

    def _charge(self, session: Session, settlement_id: int, until: datetime, totals: list[rows.Total]) -> int:
        settlement = rows.lock_settlement(session, settlement_id)
        now = self._clock.now()
        prepaid = set(rows.prepaid_accounts(session))
        charged = 0
        for total in totals:
            if total.account_id in prepaid and total.amount > 0:
                posting = ledger.Posting(
                    total.account_id,
                    ledger.Kind.CALLS,
                    -total.amount,
                    f"{total.calls} calls, {total.minutes} minutes, settled at {until:%Y-%m-%d %H:%M} UTC",
                    f"calls:{settlement_id}:{total.account_id}",
                    settlement_id=settlement_id,
                )
                charged += ledger.post(session, posting, now, self._settings.low_balance).is_new
        for account_id in prepaid:
            ledger.review(session, account_id, now)
        settlement.posted_at = now
        return charged


def _close(session: Session, settlement_id: int, now: datetime) -> None:
    """Let no more calls be added. Raises SettlementClosed."""
    settlement = rows.lock_settlement(session, settlement_id)
    settlement.rated_at = settlement.rated_at or now

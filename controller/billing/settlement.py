"""Settlement: every call is rated once, and charged to its account once, whatever happens in between.

A settlement is a row. Calls are rated in small batches, with pauses in which calls can write; each batch is a
transaction. When all are rated the row says so, no call can be added any more, and what each account owes is
posted, also in small batches; the last transaction finishes the row. A crash leaves a row that is not
finished: the next run goes on with it. A call's rating has the call's id as its key, a charge has the
settlement's and the account's.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec
from sqlmodel import Session

from controller.billing import ledger, prices
from controller.billing.batches import PAUSE, POSTED_AT_ONCE, write_in_batches
from controller.billing.calendar import Calendar
from controller.billing.prices import PriceBook
from controller.billing.rating import MINUTE, decode_record, rate
from controller.clock import Clock
from controller.settings import BillingSettings
from controller.store import ratings as rows
from controller.store.billing_tables import HoldReason
from controller.store.database import Database
from controller.store.holds import held
from controller.store.ratings import SettlementClosed, UnratedCall

log = logging.getLogger(__name__)

_LATE = timedelta(hours=48)
"""How long after its end a call's record may be written and is still found: while the database was away."""

BATCH = 100
"""Calls rated in one transaction."""


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
        posted_at_once: int = POSTED_AT_ONCE,
    ) -> None:
        """`batch`: calls rated in one transaction; `posted_at_once`: accounts charged in one; `pause`: the
        seconds between two.
        """
        self._database = database
        self._clock = clock
        self._settings = settings
        self._calendar = Calendar(settings.zone_info)
        self._is_free = is_free
        self._minute = minute
        self._batch = batch
        self._pause = pause
        self._posted_at_once = posted_at_once

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
            accounts = await self._charge_all(number, settlement.until)
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

    async def _charge_all(self, settlement_id: int, until: datetime) -> int:
        totals = await self._database.read(lambda session: rows.totals_of_settlement(session, settlement_id))

        def charge(session: Session, some: Sequence[rows.Total]) -> int:
            return self._charge(session, settlement_id, until, some)

        size, pause = self._posted_at_once, self._pause
        charged = await write_in_batches(self._database, totals, charge, size, pause)
        # Who is posted to, or becomes prepaid, is judged at once. Only these could be wronged for long.
        frozen = await self._database.read(lambda session: held(session, HoldReason.EXHAUSTED))
        await write_in_batches(self._database, frozen, self._review, size, pause)
        await self._database.write(lambda session: _finish(session, settlement_id, self._clock.now()))
        return charged

    def _charge(
        self, session: Session, settlement_id: int, until: datetime, totals: Sequence[rows.Total]
    ) -> int:
        rows.lock_settlement(session, settlement_id)
        now = self._clock.now()
        prepaid = rows.prepaid_accounts(session, [total.account_id for total in totals])
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
        return charged

    def _review(self, session: Session, accounts: Sequence[str]) -> int:
        for account_id in accounts:
            ledger.review(session, account_id, self._clock.now())
        return len(accounts)


def _close(session: Session, settlement_id: int, now: datetime) -> None:
    """Let no more calls be added. Raises SettlementClosed."""
    settlement = rows.lock_settlement(session, settlement_id)
    settlement.rated_at = settlement.rated_at or now


def _finish(session: Session, settlement_id: int, now: datetime) -> None:
    """Note that all is charged. Raises SettlementClosed."""
    rows.lock_settlement(session, settlement_id).posted_at = now

"""What each account spends today, kept in memory: a call is let in if the day's cap can still pay for it.

Counted are calls that have ended today, and of live ones every minute that has started, from the first moment
on: a call holds a minute of each leg before anything is dialled. Once a second it is looked whether a call
comes to a further minute; one for which nothing is left is ended before that minute begins. So no day costs
more than its cap, whatever the calls do. Nothing here waits while a call is
let in; after a start the figures are made again from the records of the day.

Controllers that share a database let each other know what their calls cost: in the transaction that accepts a
call, and once a second, when minutes that begin are counted first, and taken back if what others have counted
by then leaves nothing for them. Writers follow one another, so that the same is never left for two.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from sqlmodel import Session

from controller.billing.calendar import Calendar
from controller.billing.prices import PriceBook
from controller.billing.rating import MINUTE, Legs, rate, started_minutes
from controller.clock import Clock
from controller.rules.amounts import amount_text, from_units
from controller.store import spent as rows
from controller.store.errors import Limit, LimitReached

_ZERO = from_units(0)

AHEAD = timedelta(seconds=3)
"""How long before a minute that can't be paid a call is ended: it takes a moment until it has."""


class Terms(Protocol):
    """What is known of accounts now."""

    @property
    def revision(self) -> int:
        """Moves on when prices may have changed."""
        ...

    def cap_of(self, account_id: str) -> Decimal | None:
        """What an account may spend in a day; None: anything."""
        ...

    def must_end(self) -> Iterable[str | None]:
        """The accounts whose calls under way shall end; None: everybody's."""
        ...


@dataclass
class _Live:
    """A call under way, and for what it is counted."""

    account_id: str
    legs: dict[str, datetime | None]
    """Those that cost something, and when each was answered."""
    price: Decimal
    counted: Decimal


@dataclass
class Spent:
    """What an account has spent on a day: on calls that have ended, and on live ones so far."""

    ended: Decimal = _ZERO
    live: Decimal = _ZERO
    refused: int = 0
    """Calls that were refused or ended as the cap was reached."""

    @property
    def total(self) -> Decimal:
        return self.ended + self.live


@dataclass(frozen=True)
class EndedCall:
    """What alarms need to know of a call that has ended."""

    account_id: str
    answered: bool
    at: datetime


class Spending:
    """The meter that calls run through."""

    def __init__(
        self,
        clock: Clock,
        calendar: Calendar,
        terms: Terms,
        is_free: Callable[[str], bool],
        minute: timedelta = MINUTE,
        controller: str | None = None,
    ) -> None:
        """`controller`: the name under which others are told; None: there are no others."""
        self.prices = PriceBook()
        self._clock = clock
        self._calendar = calendar
        self._terms = terms
        self._is_free = is_free
        self._minute = minute
        self._controller = controller
        self._elsewhere: dict[str, Decimal] = {}
        """What calls of other controllers cost, as of the last look."""
        self._live: dict[str, _Live] = {}
        self._spent: dict[str, Spent] = {}
        self._day_begins, self._day_ends = calendar.span_of_day(clock.now())
        self._ended: list[EndedCall] = []
        self._just_counted: list[tuple[str, Decimal]] = []
        """Minutes of calls that others don't know of yet."""

    def start_from(self, spent: Mapping[str, Decimal]) -> None:
        """Take over what the records say of calls that have ended today."""
        for account_id, amount in spent.items():
            self._of(account_id).ended += amount

    def begin(self, call_id: str, account_id: str, legs: Legs) -> None:
        """Let a call in, and hold a minute of each of its legs. Raises LimitReached; then nothing is held."""
        now = self._clock.now()
        self._turn_day(now)
        live = self._made(account_id, legs, now)
        spent = self._of(account_id)
        cap = self._terms.cap_of(account_id)
        total = spent.total + self._elsewhere.get(account_id, _ZERO)
        if cap is not None and live.counted and total + live.counted > cap:
            raise self._refused(spent, total, cap, now)
        self._hold(call_id, live)

    def _refused(self, spent: Spent, total: Decimal, cap: Decimal, now: datetime) -> LimitReached:
        spent.refused += 1
        reason = f"{amount_text(total)} of {amount_text(cap)} are spent or held by live calls"
        return LimitReached(Limit.SPENDING, reason, self._day_ends - now)

    def check(self, session: Session, account_id: str) -> None:
        """Count all others' calls too, of one that `begin` let in. Raises LimitReached."""
        cap = self._terms.cap_of(account_id)
        if self._controller is None or cap is None:
            return
        now = self._clock.now()
        spent, day = self._of(account_id), self._calendar.day(now).isoformat()
        total = spent.total + rows.of_account_elsewhere(session, self._controller, day, account_id)
        if total > cap:
            raise self._refused(spent, total, cap, now)

    def book(self, session: Session, account_id: str) -> None:
        """In the transaction in which `check` let a call in: the others see what it may cost."""
        if self._controller is None or self._terms.cap_of(account_id) is None:
            return
        spent, day = self._of(account_id), self._calendar.day(self._clock.now()).isoformat()
        rows.note(session, self._controller, day, {account_id: (spent.ended, spent.live)})

    def exchange(self, session: Session) -> dict[str, Decimal]:
        """Let the others know what calls cost here; returns what theirs cost, for `others_spent`."""
        if self._controller is None:
            return {}
        day = self._calendar.day(self._clock.now()).isoformat()
        # This is every second: of the accounts that were active today few have changed since the last one.
        known = rows.noted(session, self._controller, day)
        spent = {account: (its.ended, its.live) for account, its in list(self._spent.items())}
        news = {
            account: sums for account, sums in spent.items() if sums != known.get(account, (_ZERO, _ZERO))
        }
        rows.forget_before(session, self._controller, day)
        rows.note(session, self._controller, day, news)
        others = rows.elsewhere(session, self._controller, day)
        return {account: ended + live for account, (ended, live) in others.items()}

    def others_spent(self, amounts: dict[str, Decimal]) -> None:
        """Note what calls of other controllers cost today."""
        self._elsewhere = amounts

    def go_on(self, call_id: str, account_id: str, legs: Legs) -> None:
        """Count a call that was let in by a controller before."""
        self._hold(call_id, self._made(account_id, legs, self._clock.now()))

    def forget(self, call_id: str) -> None:
        """A call that was let in and is not made after all."""
        live = self._live.pop(call_id, None)
        if live is not None:
            self._of(live.account_id).live -= live.counted

    def answered(self, call_id: str, leg: str, at: datetime) -> None:
        """A leg's minutes begin."""
        live = self._live.get(call_id)
        if live is not None and leg in live.legs:
            live.legs[leg] = at

    def ended(self, call_id: str, account_id: str, legs: Legs, at: datetime) -> None:
        """A call is over, and costs what its record says. Calls of a controller before count too."""
        self.forget(call_id)
        self._turn_day(self._clock.now())
        if at >= self._day_begins:
            self._of(account_id).ended += self._cost(account_id, legs, at)
        answered = any(answered for _number, answered in legs.values())
        self._ended.append(EndedCall(account_id, answered, at))

    def _cost(self, account_id: str, legs: Legs, at: datetime) -> Decimal:
        rating = rate(
            legs, at, lambda moment: self.prices.at(account_id, moment).minute, self._is_free, self._minute
        )
        return rating.amount

    def overdrawn(self) -> list[str]:
        """Count the minutes that begin now; returns the calls that come to one that can't be paid."""
        now = self._clock.now()
        self._turn_day(now)
        soon = now + min(AHEAD, self._minute / 2)
        out: list[str] = []
        self._just_counted = []
        for call_id, live in self._live.items():
            more = self._worth(live, soon) - live.counted
            if more <= 0:
                continue
            spent = self._of(live.account_id)
            cap = self._terms.cap_of(live.account_id)
            others = self._elsewhere.get(live.account_id, _ZERO)
            if cap is not None and spent.total + others + more > cap:
                spent.refused += 1
                out.append(call_id)
                continue
            live.counted += more
            spent.live += more
            self._just_counted.append((call_id, more))
        return out

    def taken_back(self) -> list[str]:
        """After an exchange: give up minutes that `overdrawn` counted where others leave nothing for them.

        Returns the calls that come to one.
        """
        out: list[str] = []
        for call_id, more in reversed(self._just_counted):
            live = self._live.get(call_id)
            if live is None:
                continue
            spent, cap = self._of(live.account_id), self._terms.cap_of(live.account_id)
            if cap is not None and spent.total + self._elsewhere.get(live.account_id, _ZERO) > cap:
                live.counted -= more
                spent.live -= more
                spent.refused += 1
                out.append(call_id)
        self._just_counted = []
        return out

    def live_calls(self, account_id: str | None = None) -> list[str]:
        """The calls under way of an account, or all."""
        return [call_id for call_id, live in self._live.items() if account_id in (None, live.account_id)]

    def cap_of(self, account_id: str) -> Decimal | None:
        """What an account may spend in a day; None: anything."""
        return self._terms.cap_of(account_id)

    def spent(self, account_id: str) -> Spent:
        """What an account has spent today."""
        self._turn_day(self._clock.now())
        return self._with_others(account_id, self._spent.get(account_id, Spent()))

    def all_spent(self) -> Mapping[str, Spent]:
        """What each account has spent today that has spent anything."""
        self._turn_day(self._clock.now())
        return {
            account_id: self._with_others(account_id, self._spent.get(account_id, Spent()))
            for account_id in {*self._spent, *self._elsewhere}
        }

    def _with_others(self, account_id: str, spent: Spent) -> Spent:
        elsewhere = self._elsewhere.get(account_id)
        return spent if elsewhere is None else replace(spent, live=spent.live + elsewhere)

    def take_ended(self) -> list[EndedCall]:
        """The calls that have ended since this was asked last."""
        taken, self._ended = self._ended, []
        return taken

    def _made(self, account_id: str, legs: Legs, now: datetime) -> _Live:
        price = self.prices.at(account_id, now).minute
        paid = {name: answered for name, (number, answered) in legs.items() if not self._is_free(number)}
        live = _Live(account_id, paid, price, _ZERO)
        live.counted = self._worth(live, now)
        return live

    def _worth(self, live: _Live, until: datetime) -> Decimal:
        """What a live call costs if it ends at `until`, and a minute of each leg that has not answered."""
        if not live.price:
            return _ZERO
        minutes = (
            1 if answered is None else started_minutes(answered, until, self._minute)
            for answered in live.legs.values()
        )
        return live.price * sum(minutes)

    def _hold(self, call_id: str, live: _Live) -> None:
        self.forget(call_id)
        self._live[call_id] = live
        self._of(live.account_id).live += live.counted

    def _of(self, account_id: str) -> Spent:
        return self._spent.setdefault(account_id, Spent())

    def _turn_day(self, now: datetime) -> None:
        if now < self._day_ends:
            return
        # What a live call has cost until midnight counts for the new day as well: rather too much.
        self._day_begins, self._day_ends = self._calendar.span_of_day(now)
        self._spent, self._elsewhere = {}, {}
        for live in self._live.values():
            self._of(live.account_id).live += live.counted

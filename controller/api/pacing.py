"""Refused requests get a small share of the event loop's time, from however many places they come.

Calls run on the same loop, and what is refused must not hold them up. So the time that refusals take flows
into leaky buckets: one for each source (an address, and of an address each app that has proved itself), one
for all addresses with refusals of late, one for addresses that nothing is known of. While a bucket is full,
requests that belong into it wait for their turn; where that would take too long, they are turned away unread.
Requests of addresses whose requests were accepted before wait for nobody's refusals but their own.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from controller.api.wire.authentication.lockout import customer_of

SOURCE_SHARE: Final = 0.03
"""Seconds of the loop's time that refusals of one source may take in a second, in the long run."""
TOTAL_SHARE: Final = 0.06
"""The same of all addresses that had refusals of late together, and of all unknown addresses together."""
BURST: Final = 0.2
"""Seconds of refusals at once before any of them waits: several hundred."""
LONGEST_WAIT: Final = 1.0
"""Seconds that a request waits at most."""

_FIRST_GUESS = 0.0005
_LEARNING = 0.05
_SOURCES_REMEMBERED = 20_000
_CUSTOMERS_REMEMBERED = 10_000


class Bucket:
    """Loop time in seconds that leaks away at `share` seconds a second."""

    __slots__ = ("_at", "_level", "_share")

    def __init__(self, share: float, now: float) -> None:
        self._share = share
        self._level = 0.0
        self._at = now

    def level(self, now: float) -> float:
        self._level = max(self._level - (now - self._at) * self._share, 0.0)
        self._at = now
        return self._level

    def add(self, seconds: float, now: float) -> None:
        # What came at once before anybody could know is forgiven: nobody pays for it for minutes.
        most = BURST + 2 * LONGEST_WAIT * self._share
        self._level = min(max(self.level(now) + seconds, 0.0), most)

    def wait(self, now: float) -> float:
        """Seconds until there is room."""
        return max(self.level(now) - BURST, 0.0) / self._share


@dataclass(slots=True)
class _Source:
    """What is known of an address whose requests were refused."""

    own: Bucket
    apps: dict[str, Bucket] = field(default_factory=dict)
    """App that has proved itself -> its refusals."""

    def is_forgotten(self, now: float) -> bool:
        return not any(bucket.level(now) for bucket in (self.own, *self.apps.values()))


@dataclass(frozen=True, slots=True)
class Turn:
    """A request may be read, after `delay` seconds; `claim` is the app that it says it is from."""

    delay: float
    claim: str
    buckets: tuple[Bucket, ...]
    reserved: float
    """Seconds that it holds in the buckets until it is known what it took."""


class Pacer:
    """Says when a request may be read. `now` is in seconds, from whatever start."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._sources: OrderedDict[str, _Source] = OrderedDict()
        self._accepted: OrderedDict[str, None] = OrderedDict()
        self._known = Bucket(TOTAL_SHARE, now())
        self._unknown = Bucket(TOTAL_SHARE, now())
        self._typical = _FIRST_GUESS
        self.late = 0
        """Requests that had to wait."""
        self.turned_away = 0

    def is_clear(self, address: str) -> bool:
        """Whether requests from there may be read without a look at them."""
        customer = customer_of(address)
        source = self._sources.get(customer)
        if source is not None:
            if not source.is_forgotten(self._now()):
                return False
            del self._sources[customer]
        return customer in self._accepted or not self._unknown.wait(self._now())

    def enter(self, address: str, claim: str) -> Turn | None:
        """When a request may be read that says it is from the app `claim`; None: it is turned away."""
        now, customer = self._now(), customer_of(address)
        buckets = tuple(self._concerned(customer, claim))
        delay = max((bucket.wait(now) for bucket in buckets), default=0.0)
        if delay > LONGEST_WAIT:
            self.turned_away += 1
            return None
        self.late += delay > 0
        # Held at once: thousands may come before the first of them is answered.
        for bucket in buckets:
            bucket.add(self._typical, now)
        return Turn(delay, claim, buckets, self._typical)

    def refused(self, address: str, app: str | None, seconds: float, turn: Turn | None) -> None:
        """A request took so much of the loop's time and was refused; `app` if it proved whose it is."""
        now, customer = self._now(), customer_of(address)
        self.release(turn)
        self._typical += (seconds - self._typical) * _LEARNING
        total = self._known if customer in self._sources else self._unknown
        if customer not in self._accepted:
            total.add(seconds, now)
        source = self._remembered(customer, now)
        # Whoever says they are somebody else is known by the address alone.
        if app is not None and (turn is None or turn.claim == app):
            bucket = source.apps.setdefault(app, Bucket(SOURCE_SHARE, now))
        else:
            bucket = source.own
        bucket.add(seconds, now)

    def accepted(self, address: str, turn: Turn | None) -> None:
        """A request of an app was done as it was asked."""
        self.release(turn)
        customer = customer_of(address)
        self._accepted[customer] = None
        self._accepted.move_to_end(customer)
        if len(self._accepted) > _CUSTOMERS_REMEMBERED:
            self._accepted.popitem(last=False)

    def release(self, turn: Turn | None) -> None:
        """A request that has waited is over, or its sender has gone."""
        if turn is not None:
            for bucket in turn.buckets:
                bucket.add(-turn.reserved, self._now())

    def _concerned(self, customer: str, claim: str) -> Iterator[Bucket]:
        source = self._sources.get(customer)
        if source is not None:
            yield source.own
            if claim in source.apps:
                yield source.apps[claim]
        if customer not in self._accepted:
            yield self._unknown if source is None else self._known

    def _remembered(self, customer: str, now: float) -> _Source:
        source = self._sources.get(customer)
        if source is None:
            if len(self._sources) >= _SOURCES_REMEMBERED:
                self._sources.popitem(last=False)
            source = self._sources[customer] = _Source(Bucket(SOURCE_SHARE, now))
        self._sources.move_to_end(customer)
        return source

"""How calls go now, for all who look: one look at the database a few times a second, and only if asked.

What lies back is kept by the second; a look counts only the last few seconds anew, as no call that ended
earlier is still to be written down. Now and then a longer stretch is counted anew, for those that were: when
the database had been away. Every controller's calls are in it, as all write to the same database.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Generic, TypeVar

from sqlmodel import Session

from controller.clock import Clock
from controller.store import figures as rows
from controller.store.database import Database
from controller.store.figures import Backlog, End, Second

WINDOW: Final = timedelta(minutes=15)
"""Ends of calls are counted that far back."""
SERIES: Final = timedelta(minutes=5)
"""Calls accepted are counted by the second that far back."""
ALARMS: Final = timedelta(hours=24)
_FRESH: Final = 0.2
"""Seconds for which a look is good."""
_BACKLOG_FRESH: Final = 2.0
_SHARE: Final = 0.05
"""Of the time, at most, that goes to looking: a slow look is good for longer."""
_MOVING: Final = timedelta(seconds=3)
"""What every look counts anew."""
_LATE: Final = timedelta(seconds=60)
"""What is counted anew from time to time."""
_LATE_INTERVAL: Final = 15.0
"""Seconds."""
_SECOND: Final = timedelta(seconds=1)

Kind = TypeVar("Kind")


class Window(Generic[Kind]):
    """Counts by the second, and their sum, over a length of time."""

    def __init__(self, length: timedelta) -> None:
        self.seconds: dict[Second, Counter[Kind]] = {}
        self.total: Counter[Kind] = Counter()
        self._length = length

    def recount(self, since: Second, counts: Mapping[Second, Counter[Kind]], now: datetime) -> None:
        """This is what there is from `since` on; what is older than the window is forgotten."""
        oldest = now - self._length
        for second in [second for second in self.seconds if second >= since or second < oldest]:
            self.total -= self.seconds.pop(second)
        for second, counted in counts.items():
            if second >= oldest:
                self.seconds[second] = counted
                self.total += counted


@dataclass(frozen=True)
class Figures:
    """How it is at a time. Counters of an account that has none are 0."""

    at: datetime
    live: Counter[tuple[str, str]]
    """By account and service."""
    accepted: Window[str]
    """By account, in `SERIES`."""
    ended: Window[End]
    """In `WINDOW`."""
    backlog: Backlog

    def live_by_service(self, account_id: str | None) -> Counter[str]:
        """Calls that go on, of an account or (None) of all."""
        counts: Counter[str] = Counter()
        for (owner, service), count in self.live.items():
            if account_id in (None, owner):
                counts[service] += count
        return counts

    def accepted_in(self, begin: Second, end: Second, account_id: str | None) -> int:
        """Calls accepted from one second up to another."""
        count, second = 0, begin
        while second < end:
            counted = self.accepted.seconds.get(second)
            if counted is not None:
                count += counted.total() if account_id is None else counted[account_id]
            second += _SECOND
        return count

    def ends(self, account_id: str | None) -> Counter[End]:
        """How calls have ended."""
        if account_id is None:
            return self.ended.total
        return Counter(
            {end: count for end, count in self.ended.total.items() if end.account_id == account_id}
        )


@dataclass
class CallFigures:
    """The figures, looked for when somebody asks."""

    database: Database
    clock: Clock
    _accepted: Window[str] = field(default_factory=lambda: Window(SERIES))
    _ended: Window[End] = field(default_factory=lambda: Window(WINDOW))
    _present: Figures | None = None
    _good_until: float = 0.0
    _backlog_good_until: float = 0.0
    _late_at: float = 0.0
    _looking: "asyncio.Task[Figures] | None" = None

    async def now(self) -> Figures:
        """How it is, a fraction of a second ago at most; all who ask meanwhile share one look."""
        present = self._present
        if present is not None and _time() < self._good_until:
            return present
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)
        # Who leaves takes the look from nobody.
        return await asyncio.shield(self._looking)

    def _looked(self, _task: "asyncio.Task[Figures]") -> None:
        self._looking = None

    async def _look(self) -> Figures:
        began = _time()
        at = self.clock.now()
        ended_since, accepted_since = self._since(at, began)
        live, accepted, ended = await self.database.read(
            partial(_counted, accepted_since=accepted_since, ended_since=ended_since)
        )
        self._accepted.recount(accepted_since, accepted, at)
        self._ended.recount(ended_since, ended, at)
        backlog = await self._backlog(at)
        self._present = Figures(at, live, self._accepted, self._ended, backlog)
        self._good_until = _good_until(began, _FRESH)
        return self._present

    def _since(self, at: datetime, began: float) -> tuple[Second, Second]:
        """From when on calls that ended, and calls accepted, are counted anew."""
        whole = at.replace(microsecond=0)
        if self._present is None or self._present.at < at - _LATE:
            self._late_at = began
            return whole - WINDOW, whole - SERIES
        back = _MOVING
        if began - self._late_at > _LATE_INTERVAL:
            back, self._late_at = _LATE, began
        # From the last look on, if that is longer ago.
        since = min(whole, self._present.at.replace(microsecond=0)) - back
        return since, since

    async def _backlog(self, at: datetime) -> Backlog:
        began = _time()
        if self._present is not None and began < self._backlog_good_until:
            return self._present.backlog
        found = await self.database.read(partial(rows.backlog, alarms_since=at - ALARMS))
        self._backlog_good_until = _good_until(began, _BACKLOG_FRESH)
        return found


def _time() -> float:
    return asyncio.get_running_loop().time()


def _good_until(began: float, fresh: float) -> float:
    now = _time()
    return now + max(fresh, (now - began) / _SHARE)


def _counted(session: Session, accepted_since: Second, ended_since: Second) -> tuple[Any, Any, Any]:
    return (
        rows.live_calls(session),
        rows.accepted_calls(session, accepted_since),
        rows.ended_calls(session, ended_since),
    )

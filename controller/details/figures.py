"""How calls go now, for all who look: one look at the database a few times a second, and only if asked.

What lies back is kept by the second; a look counts only the last few seconds anew, and adds calls that ended
earlier and were written down since the look before, as happens when the database had been away. Every
controller's calls are in it, as all write to the same database.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Generic, TypeVar

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
_PATIENCE: Final = 0.1
"""Seconds that figures wait for a look at what waits: if there is very much of it, it comes next time."""
_REST: Final = 2
"""How many times as long as that look has taken there is none."""
_MOVING: Final = timedelta(seconds=3)
"""What every look counts anew."""
_SECOND: Final = timedelta(seconds=1)
_NEVER: Final = datetime(1970, 1, 2, tzinfo=UTC)

Kind = TypeVar("Kind")
Seen = TypeVar("Seen")


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
        self.add({second: counted for second, counted in counts.items() if second >= oldest})

    def add(self, counts: Mapping[Second, Counter[Kind]]) -> None:
        """There are these, too."""
        for second, counted in counts.items():
            self.seconds.setdefault(second, Counter()).update(counted)
            self.total.update(counted)


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


class _Shared(Generic[Seen]):
    """What a look shows, good for a while and the same for all who ask meanwhile."""

    def __init__(
        self, look: Callable[[], Awaitable[Seen]], *, patience: float | None = None, rest: float = 0.0
    ) -> None:
        """`patience`: for how many seconds who asks waits for the next look before the last one will do.

        None: until it is there. `rest`: how many times as long as a look has taken it is good at least.
        """
        self._look = look
        self._patience = patience
        self._rest = rest
        self._present: Seen | None = None
        self._good_until = 0.0
        self._looking: asyncio.Task[Seen] | None = None

    async def get(self) -> Seen:
        present = self._present
        if present is not None and _time() < self._good_until:
            return present
        if self._looking is None:
            self._looking = asyncio.create_task(self._again())
            self._looking.add_done_callback(self._looked)
        looking = self._looking
        if present is not None and self._patience is not None:
            done, _ = await asyncio.wait({looking}, timeout=self._patience)
            return looking.result() if done else present
        # Who leaves takes the look from nobody.
        return await asyncio.shield(looking)

    async def _again(self) -> Seen:
        began = _time()
        found = await self._look()
        self._good_until = began + max(_FRESH, self._rest * (_time() - began))
        return found

    def _looked(self, looking: "asyncio.Task[Seen]") -> None:
        self._looking = None
        # After a failure nothing old is shown: whoever asks next learns of it.
        failed = looking.cancelled() or looking.exception() is not None
        self._present = None if failed else looking.result()


class CallFigures:
    """The figures, looked for when somebody asks."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._accepted: Window[str] = Window(SERIES)
        self._ended: Window[End] = Window(WINDOW)
        self._counted_at: datetime | None = None
        self._number: int | None = None
        self._figures = _Shared(self._count)
        self._backlog = _Shared(self._look_at_backlog, patience=_PATIENCE, rest=_REST)

    async def now(self) -> Figures:
        """How it is, or was a fraction of a second ago; what waits too, unless there is very much of it."""
        return await self._figures.get()

    async def _count(self) -> Figures:
        at = self._clock.now()
        whole = at.replace(microsecond=0)
        # From the last look on, if that is longer ago than what every look counts anew.
        moving = min(whole, self._counted_at or _NEVER).replace(microsecond=0) - _MOVING
        ended_since, accepted_since = max(moving, whole - WINDOW), max(moving, whole - SERIES)
        seen = await self._database.read(
            partial(_counted, accepted_since=accepted_since, ended_since=ended_since, after=self._number)
        )
        self._accepted.recount(accepted_since, seen.accepted, at)
        self._ended.recount(ended_since, seen.ended, at)
        self._ended.add(
            {second: ends for second, ends in seen.late.items() if at - WINDOW <= second < ended_since}
        )
        self._counted_at, self._number = at, seen.number
        return Figures(at, seen.live, self._accepted, self._ended, await self._backlog.get())

    async def _look_at_backlog(self) -> Backlog:
        since = self._clock.now() - ALARMS
        return await self._database.read(partial(rows.backlog, alarms_since=since))


def _time() -> float:
    return asyncio.get_running_loop().time()


@dataclass(frozen=True)
class _Counted:
    live: Counter[tuple[str, str]]
    accepted: Mapping[Second, Counter[str]]
    ended: Mapping[Second, Counter[End]]
    late: Mapping[Second, Counter[End]]
    """Written down since the look before, whenever they ended."""
    number: int
    """Of the last CDR."""


def _counted(session: Session, accepted_since: Second, ended_since: Second, after: int | None) -> _Counted:
    return _Counted(
        rows.live_calls(session),
        rows.accepted_calls(session, accepted_since),
        rows.ended_calls(session, ended_since),
        {} if after is None else rows.ended_after(session, after),
        # After the others: what is written between them is counted by the next look, and not twice.
        rows.last_number(session),
    )

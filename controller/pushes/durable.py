"""Status pushes that are repeated until they arrive, in order: each goes when the one before was taken.

A call's timeline has what its pushes say, so that all there is to remember is a place in it (`call_push`,
written when the call is accepted). While all goes well a call tells from memory. When a push fails the call
is *behind*: it is told from the database, whenever it is due, until it has caught up. After a restart
everything that was under way is due.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlmodel import Session

from controller.calls.call import LiveCall
from controller.calls.recovery import NotRestored, restored
from controller.calls.timeline import Entry, Kind
from controller.clock import Clock
from controller.pushes.courier import Courier
from controller.pushes.due import DueLoop
from controller.pushes.receiver import Delivery
from controller.pushes.retry import Again, RetryPolicy
from controller.pushes.wire import is_told, status_push
from controller.store import calls as call_rows
from controller.store import pushes as rows
from controller.store.database import Database
from controller.store.persistent import write_persistently
from controller.store.tables import Call, CallPush, PushProfile, TimelineEntry

log = logging.getLogger(__name__)

Written = asyncio.Future[None] | None

_GATHERING = 0.1
"""Seconds for which places in timelines gather before they are written; a crash repeats those pushes."""

_AT_ONCE = 200
"""Calls that are told from the database at the same time."""

_NOT_RESTORED_AGAIN = timedelta(hours=1)
"""Until a call is looked at again that this version makes no sense of: another one may run by then."""


class DurableStatuses:
    """The status pushes of durable calls."""

    def __init__(
        self, courier: Courier, database: Database, clock: Clock, policy: RetryPolicy, controller: str
    ) -> None:
        self._courier = courier
        self._database = database
        self._clock = clock
        self._policy = policy
        self._controller = controller
        self._loop = DueLoop(clock, self._start_due)
        self._queues: dict[str, deque[tuple[LiveCall, Entry, Written]]] = {}
        self._behind: dict[str, Written] = {}
        """Live calls that are told from the database, each with the last entry's way there."""
        self._under_way: set[str] = set()
        self._places: dict[str, int] = {}
        self._over: set[str] = set()
        self._draining = False
        self._writing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def resume(self) -> None:
        """After a start, before anything is told: go on where the last run was ended."""
        now = self._clock.now()
        live = await self._database.write(lambda session: rows.take_over(session, self._controller, now))
        self._behind = dict.fromkeys(live)

    def adopt(self, behind: Iterable[str]) -> None:
        """Go on with these live calls of a controller that is gone."""
        self._behind |= dict.fromkeys(behind)
        self._loop.wake(self._clock.now())

    async def run(self) -> None:
        """Tell again what is due, until cancelled."""
        await self._loop.run()

    def tell(self, call: LiveCall, entry: Entry, after: Written) -> None:
        """Something happened, and will be in the database once `after` is done."""
        if not is_told(call, entry):
            return
        if call.id in self._behind:
            if entry.kind is Kind.DISCONNECT:
                self._forget_when_written(call.id)
            else:
                self._behind[call.id] = after
            return
        queue = self._queues.get(call.id)
        if queue is not None:
            queue.append((call, entry, after))
            return
        self._queues[call.id] = deque([(call, entry, after)])
        self._spawn(self._tell_from_memory(call.id))

    def _forget_when_written(self, call_id: str) -> None:
        """A call is over: once all of it is in the database, that is all there is to know."""
        before = self._behind[call_id]
        if before is None or before.done():
            del self._behind[call_id]
        else:
            before.add_done_callback(lambda _: self._behind.pop(call_id, None))

    async def _tell_from_memory(self, call_id: str) -> None:
        queue = self._queues[call_id]
        try:
            while queue:
                call, entry, after = queue[0]
                if after is not None:
                    await asyncio.wait({after})
                delivery = await self._deliver(call, entry, 1)
                if not delivery.accepted:
                    break
                queue.popleft()
                self._told(call_id, entry)
        finally:
            del self._queues[call_id]
        if queue:
            # From here to the write nothing is awaited: what is told meanwhile finds the call behind.
            self._behind[call_id] = next((told[2] for told in reversed(queue) if told[2] is not None), None)
            if queue[-1][1].kind is Kind.DISCONNECT:
                self._forget_when_written(call_id)
            await self._put_off(call_id, entry, 1, delivery)

    async def _deliver(self, call: LiveCall, entry: Entry, attempt: int) -> Delivery:
        return await self._courier.deliver(status_push(call, entry, attempt))

    async def _put_off(self, call_id: str, entry: Entry, failed: int, delivery: Delivery) -> None:
        """A push failed: try it again later, or give the call's pushes up."""
        now = self._clock.now()
        delivered = entry.sequence - 1
        decision = self._policy.after(PushProfile.DURABLE, failed, delivery, now)
        if isinstance(decision, Again):
            at = decision.at
            await self._persistently(
                lambda session: rows.mark_untold(session, call_id, delivered, failed, at)
            )
            self._loop.wake(at)
            return
        log.warning(
            "The status pushes of a call are given up",
            extra={"call": call_id, "attempts": failed, "why": decision.why},
        )
        await self._persistently(lambda session: rows.mark_given_up(session, call_id, delivered, failed, now))

    async def _start_due(self, now: datetime) -> datetime | None:
        if self._draining:
            return None
        free = _AT_ONCE - len(self._under_way)
        # What came to its end while the look lasts is still due in what it sees.
        known = self._under_way | self._over
        due, next_due = await self._database.read(
            lambda session: (
                rows.due_calls(session, now, _AT_ONCE, self._controller if self._database.shared else None),
                rows.next_due_call(session, now),
            )
        )
        # Of those that are over everything was told; only that is not written yet.
        waiting = [call_id for call_id in due if call_id not in known | self._over]
        for call_id in waiting[:free]:
            self._under_way.add(call_id)
            self._spawn(self._tell_from_database(call_id))
        return next_due

    async def _tell_from_database(self, call_id: str) -> None:
        try:
            await self._catch_up(call_id)
        except Exception:
            log.exception("Status pushes came to nothing; they are tried again", extra={"call": call_id})
        finally:
            self._under_way.discard(call_id)
            if len(self._under_way) == _AT_ONCE // 2:
                self._loop.wake(self._clock.now())

    async def _catch_up(self, call_id: str) -> None:
        """Tell everything that is known of a call, until it is over or tells from memory again."""
        done = -1
        while True:
            while (written := self._behind.get(call_id)) is not None and not written.done():
                await asyncio.wait({written})
            found = await self._database.read(lambda session: _load(session, call_id))
            if found is None:
                return
            if self._behind.get(call_id) is not written:
                # More was told meanwhile, and may be missing before what was found.
                continue
            place, failed = found.place, found.failed
            try:
                call = restored(found.call, found.entries, self._clock)
            except NotRestored:
                log.exception(
                    "The status pushes of a call wait for the version that wrote it", extra={"call": call_id}
                )
                later = self._clock.now() + _NOT_RESTORED_AGAIN
                # Those that are due all the time would take the places of others.
                await self._persistently(
                    partial(rows.mark_untold, call_id=call_id, delivered=place, attempts=failed, due_at=later)
                )
                return
            news = [entry for entry in call.timeline.entries if entry.sequence > max(place, done)]
            for entry in news:
                if is_told(call, entry):
                    delivery = await self._deliver(call, entry, failed + 1)
                    if not delivery.accepted:
                        await self._put_off(call_id, entry, failed + 1, delivery)
                        return
                    failed = 0
                    self._told(call_id, entry)
                done = entry.sequence
            if found.call.ended_at is not None:
                self._told(call_id, call.timeline.entries[-1])
                return
            if call_id in self._behind:
                if self._behind[call_id] is written:
                    # It has caught up; nothing was awaited since the last look.
                    del self._behind[call_id]
                    caught_up = partial(rows.mark_caught_up, call_id=call_id, delivered=max(place, done))
                    await self._persistently(caught_up)
                    return
            elif not news:
                return

    def _told(self, call_id: str, entry: Entry) -> None:
        """The customer knows of this entry and all before it."""
        if entry.kind is Kind.DISCONNECT:
            self._places.pop(call_id, None)
            self._over.add(call_id)
        else:
            self._places[call_id] = entry.sequence
        # At the end `drain` writes what is left.
        if self._writing is None and not self._draining:
            self._writing = self._spawn(self._write_places())

    async def _write_places(self) -> None:
        while self._places or self._over:
            await asyncio.sleep(_GATHERING)
            await self._flush()
        self._writing = None

    async def _flush(self) -> None:
        places, self._places = self._places, {}
        over = frozenset(self._over)
        if places or over:
            await self._persistently(lambda session: rows.mark_told(session, places, over))
            self._over -= over

    async def _persistently(self, work: Callable[[Session], None]) -> None:
        await write_persistently(self._database, work, "How far status pushes have come")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, timeout: float) -> None:
        """Wait for what is under way, `timeout` seconds at most; the next start goes on with the rest."""
        self._draining = True
        tasks = self._tasks - {self._writing}
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)
        for task in [*self._tasks]:
            task.cancel()
        await self._flush()


@dataclass(frozen=True)
class _Found:
    """What the database knows of a call's pushes."""

    call: Call
    entries: list[TimelineEntry]
    place: int
    failed: int


def _load(session: Session, call_id: str) -> _Found | None:
    """None when there is nothing to tell."""
    place, call = session.get(CallPush, call_id), session.get(Call, call_id)
    if place is None or call is None or place.given_up_at is not None:
        return None
    return _Found(call, call_rows.timeline(session, call_id), place.delivered, place.attempts)

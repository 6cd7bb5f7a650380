"""CDR pushes: from the outbox, batched, retried on schedule, at last written to a file.

A record enters the outbox in the transaction that ends its call and leaves it when the receiver accepted it
or when it stands in the file. A crash in between repeats a push; it never loses one. What is for a disabled
endpoint stays in the outbox and is not due until somebody pushes it by hand.
"""

import asyncio
import json
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from controller.accounts.directory import Application
from controller.calls.cdr import CallDetailRecord
from controller.clock import Clock
from controller.pushes.courier import Courier
from controller.pushes.due import DueLoop
from controller.pushes.push import endpoint_url
from controller.pushes.receiver import Delivery, Failure
from controller.pushes.retry import Again, RetryPolicy
from controller.pushes.wire import fee_info, fee_push
from controller.store import outbox
from controller.store.database import Database
from controller.store.outbox import DuePush
from controller.store.persistent import write_persistently
from controller.store.tables import PushProfile

log = logging.getLogger(__name__)

_COUNT_EVERY = timedelta(seconds=10)
_PAGE = 1000
"""Records that are looked for at once."""
_MANY = 100
"""Records at a receiver that has enough for now."""


class CdrOutbox:
    """Delivers what is due."""

    def __init__(
        self,
        database: Database,
        courier: Courier,
        application: Callable[[str], Application | None],
        clock: Clock,
        policy: RetryPolicy,
        batch_size: int,
        file_dir: Path,
        controller: str | None = None,
        name: str = "",
    ) -> None:
        """`controller`: whose calls' records these are; None: everybody's, as there is one controller.

        `name` is what others don't have in the names of their files, if they may share the folder.
        """
        self._database = database
        self._courier = courier
        self._application = application
        self._clock = clock
        self._policy = policy
        self._batch_size = batch_size
        self._file_dir = file_dir
        self._controller = controller
        self._name = name
        self._loop = DueLoop(clock, self._start_due)
        self._under_way: set[str] = set()
        self._at: Counter[tuple[str, str]] = Counter()
        """How many of them are at each receiver, by app and address."""
        self.waiting = 0
        """CDRs that are to be pushed, now or later, of all controllers: as of some seconds ago."""
        self._counted_at: datetime | None = None
        self._deliveries: set[asyncio.Task[None]] = set()

    def wake(self, due_at: datetime) -> None:
        """Something in the outbox is due then."""
        self._loop.wake(due_at)

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._loop.run()

    async def _start_due(self, now: datetime) -> datetime | None:
        """Start pushing what is due; returns when the next is."""
        # A receiver that hangs keeps what it has been sent: what is for the others must not wait behind that.
        busy = [receiver for receiver, records in self._at.items() if records >= _MANY]
        # What was taken while the look lasts is still due in what it sees.
        under_way = frozenset(self._under_way)
        due = await self._database.read(
            lambda session: outbox.due_pushes(session, now, _PAGE, controller=self._controller, without=busy)
        )
        new = [push for push in due if push.call_id not in under_way]
        for batch in batches(new, self._batch_size):
            self._under_way.update(push.call_id for push in batch)
            self._at[batch[0].app_key, batch[0].url] += len(batch)
            delivery = asyncio.create_task(self._deliver(batch))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)
        if self._counted_at is None or now - self._counted_at >= _COUNT_EVERY:
            self._counted_at = now
            self.waiting = await self._database.read(outbox.count_waiting)
        if new and len(due) == _PAGE:
            return now
        return await self._database.read(lambda session: outbox.next_due(session, after=now))

    async def _deliver(self, batch: list[DuePush]) -> None:
        """One push. A slow receiver holds up its own batch alone."""
        ids = [push.call_id for push in batch]
        records = {push.call_id: CallDetailRecord.from_json(push.record) for push in batch}
        failed = batch[0].attempts + 1
        push = fee_push(batch[0].app_key, batch[0].url, records, failed)
        try:
            delivery = await self._courier.deliver(push)
            now = self._clock.now()
            if delivery.accepted:
                await self._persistently(lambda session: outbox.mark_delivered(session, ids, now))
            elif delivery.failure is Failure.DISABLED:
                url = endpoint_url(push.url)
                await self._database.write(lambda session: outbox.hold(session, ids, push.app_key, url))
            else:
                await self._after_failure(ids, push.app_key, push.message_id, failed, delivery, now, records)
        except Exception:
            log.exception("A CDR push came to nothing; it is tried again")
        finally:
            self._under_way.difference_update(ids)
            self._at[batch[0].app_key, batch[0].url] -= len(batch)
            # Those that have nothing under way any more are forgotten.
            self._at = +self._at

    async def _after_failure(
        self,
        ids: list[str],
        app_key: str,
        message_id: str,
        failed: int,
        delivery: Delivery,
        now: datetime,
        records: dict[str, CallDetailRecord],
    ) -> None:
        application = self._application(app_key)
        profile = PushProfile.COMPAT if application is None else application.push_profile
        decision = self._policy.after(profile, failed, delivery, now)
        if isinstance(decision, Again):
            due_at = decision.at
            await self._persistently(lambda session: outbox.mark_failed(session, ids, due_at, message_id))
            self.wake(due_at)
            return
        log.warning("CDRs go to the file", extra={"app": app_key, "records": len(ids), "why": decision.why})
        await asyncio.to_thread(append_to_file, self._file_dir, list(records.values()), now, self._name)
        await self._persistently(lambda session: outbox.mark_filed(session, ids, now, message_id))

    async def _persistently(self, work: Callable[[Session], None]) -> None:
        """Note what became of a push: else it would be pushed again. Raises Fenced, DatabaseClosed."""
        await write_persistently(self._database, work, "What became of a CDR push")

    async def drain(self, timeout: float) -> None:
        """Wait for the pushes under way; what is not delivered stays in the outbox."""
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=timeout)
        for delivery in self._deliveries:
            delivery.cancel()


def batches(due: Iterable[DuePush], size: int) -> list[list[DuePush]]:
    """Which records travel together, at most `size`.

    Those of the same app, address and second of ending; if they were pushed before, just those that were in
    the same push, so that a receiver can tell that it is the same one.
    """
    groups: dict[tuple[str, str, int, datetime | str], list[DuePush]] = defaultdict(list)
    for push in due:
        companions = push.message_id or push.ended_at.replace(microsecond=0)
        groups[push.app_key, push.url, push.attempts, companions].append(push)
    return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]


def append_to_file(directory: Path, records: list[CallDetailRecord], now: datetime, name: str = "") -> Path:
    """Write records to the day's CDR file, one JSON object in wire form a line; on disk when it returns.

    A controller with a `name` has a file of its own: over NFS two that append overwrite each other's lines.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / (f"cdr-{now:%Y%m%d}-{name}.jsonl" if name else f"cdr-{now:%Y%m%d}.jsonl")
    with path.open("a", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(fee_info(record), ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path

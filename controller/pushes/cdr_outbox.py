"""CDR pushes: from the outbox, batched, retried on schedule, at last written to a file.

A record enters the outbox in the transaction that ends its call and leaves it when the receiver said 200
or when it stands in the file. A crash in between repeats a push; it never loses one.
"""

import asyncio
import contextlib
import json
import logging
import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from controller.calls.cdr import CallDetailRecord
from controller.clock import Clock
from controller.pushes.receiver import Sender
from controller.pushes.retry import RetrySchedule
from controller.pushes.wire import fee_info, fee_message
from controller.store import outbox
from controller.store.database import Database
from controller.store.outbox import DuePush

log = logging.getLogger(__name__)

GATHERING = timedelta(seconds=1.2)
"""How long a record waits for others of its app that end in the same second."""

_LOOK_AGAIN = timedelta(seconds=30)
"""What another process, or a failed write, left in the outbox is found after this long."""

_AFTER_TROUBLE = timedelta(seconds=1)
_SHORTEST_PAUSE = 0.02
"""Seconds."""


class CdrOutbox:
    """Delivers what is due."""

    def __init__(
        self,
        database: Database,
        sender: Sender,
        clock: Clock,
        schedule: RetrySchedule,
        batch_size: int,
        file_dir: Path,
    ) -> None:
        self._database = database
        self._sender = sender
        self._clock = clock
        self._schedule = schedule
        self._batch_size = batch_size
        self._file_dir = file_dir
        self._news = asyncio.Event()
        self._alarm = clock.now()
        self._under_way: set[str] = set()
        self._deliveries: set[asyncio.Task[None]] = set()

    def wake(self, due_at: datetime) -> None:
        """Something in the outbox is due then."""
        if due_at < self._alarm:
            self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            self._news.clear()
            try:
                self._alarm = await self._deliver_due()
            except Exception:
                log.exception("The CDR outbox can't be read; trying again")
                self._alarm = self._clock.now() + _AFTER_TROUBLE
            pause = (self._alarm - self._clock.now()).total_seconds()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause, _SHORTEST_PAUSE)):
                    await self._news.wait()

    async def _deliver_due(self) -> datetime:
        """Start pushing what is due; returns when to look again."""
        now = self._clock.now()
        due = await self._database.read(lambda session: outbox.due_pushes(session, now))
        for batch in batches([push for push in due if push.call_id not in self._under_way], self._batch_size):
            self._under_way.update(push.call_id for push in batch)
            delivery = asyncio.create_task(self._deliver(batch))
            self._deliveries.add(delivery)
            delivery.add_done_callback(self._deliveries.discard)
        next_due = await self._database.read(lambda session: outbox.next_due(session, after=now))
        return min(next_due or now + _LOOK_AGAIN, now + _LOOK_AGAIN)

    async def _deliver(self, batch: list[DuePush]) -> None:
        """One push. A slow receiver holds up its own batch alone."""
        ids = [push.call_id for push in batch]
        records = [CallDetailRecord.from_json(push.record) for push in batch]
        try:
            delivery = await self._sender.send(batch[0].url, fee_message(records))
            now = self._clock.now()
            if delivery.accepted:
                await self._database.write(lambda session: outbox.mark_delivered(session, ids, now))
                return
            log.warning(
                "A CDR push was not accepted",
                extra={"records": len(ids), "status": delivery.status, "error": delivery.error},
            )
            due_at = self._schedule.next_attempt(batch[0].attempts + 1, now)
            if due_at is None:
                await asyncio.to_thread(append_to_file, self._file_dir, records, now)
                await self._database.write(lambda session: outbox.mark_filed(session, ids, now))
            else:
                again = due_at
                await self._database.write(lambda session: outbox.mark_failed(session, ids, again))
                self.wake(again)
        except Exception:
            log.exception("A CDR push came to nothing; it is tried again")
        finally:
            self._under_way.difference_update(ids)

    async def drain(self, timeout: float) -> None:
        """Wait for the pushes under way; what is not delivered stays in the outbox."""
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=timeout)
        for delivery in self._deliveries:
            delivery.cancel()


def batches(due: Iterable[DuePush], size: int) -> list[list[DuePush]]:
    """Records of the same app, address, attempt and second of ending travel together, at most `size`."""
    groups: dict[tuple[str, str, int, datetime], list[DuePush]] = defaultdict(list)
    for push in due:
        second = push.ended_at.replace(microsecond=0)
        groups[push.app_key, push.url, push.attempts, second].append(push)
    return [group[start : start + size] for group in groups.values() for start in range(0, len(group), size)]


def append_to_file(directory: Path, records: list[CallDetailRecord], now: datetime) -> Path:
    """Write records to the day's CDR file, one JSON object in wire form a line; on disk when it returns."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"cdr-{now:%Y%m%d}.jsonl"
    with path.open("a", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(fee_info(record), ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return path

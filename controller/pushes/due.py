"""Doing what is due when it is due: the loop that the CDR outbox and the durable statuses share."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from controller.clock import Clock

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(seconds=5)
"""What another process, or a failed write, left to be done is found after this long."""

_NEVER = datetime.max.replace(tzinfo=UTC)
_AFTER_TROUBLE = timedelta(seconds=1)
_SHORTEST_PAUSE = 0.02
"""Seconds."""


class DueLoop:
    """Calls `start_due` whenever something is due; it returns when the next is, None if nothing waits."""

    def __init__(self, clock: Clock, start_due: Callable[[datetime], Awaitable[datetime | None]]) -> None:
        self._clock = clock
        self._start_due = start_due
        self._news = asyncio.Event()
        self._alarm = clock.now()
        self._told = _NEVER
        """The earliest of what is due since the last look began, which may have missed it."""

    def wake(self, due_at: datetime) -> None:
        """Something is due then."""
        self._told = min(self._told, due_at)
        if due_at < self._alarm:
            self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._news.clear()
            self._told = _NEVER
            now = self._clock.now()
            try:
                due = await self._start_due(now)
                self._alarm = min(due or _NEVER, now + LOOK_AGAIN, self._told)
            except Exception:
                log.exception("What is due can't be read; trying again")
                self._alarm = self._clock.now() + _AFTER_TROUBLE
            pause = (self._alarm - self._clock.now()).total_seconds()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(pause, _SHORTEST_PAUSE)):
                    await self._news.wait()

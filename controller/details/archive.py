"""What is done for call details in the background: the index is kept up, calls whose time is over go."""

import asyncio
import logging
from datetime import timedelta
from functools import partial
from typing import Final

from controller.clock import Clock
from controller.details.index import CallIndex
from controller.store.call_filter import position_of
from controller.store.database import Database
from controller.store.retention import purge_calls

log = logging.getLogger(__name__)

INTERVAL: Final = 2.0
"""Seconds between two looks at what has ended."""

PURGE_INTERVAL: Final = 3600.0
"""Seconds."""

_PURGED_AT_ONCE: Final = 100
_PURGE_PAUSE: Final = 0.1
"""Seconds between two of these: calls that begin and end are written in between."""


class CallArchive:
    """Keeps calls for `keep`, from their ends on, and the index in step with them."""

    def __init__(
        self,
        database: Database,
        index: CallIndex,
        clock: Clock,
        keep: timedelta,
        *,
        interval: float = INTERVAL,
        purge_interval: float = PURGE_INTERVAL,
    ) -> None:
        self._database = database
        self._index = index
        self._clock = clock
        self._keep = keep
        self._interval = interval
        self._purge_interval = purge_interval

    async def run(self) -> None:
        """Index and purge until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._index_what_ends(), name="index calls")
            group.create_task(self._purge_now_and_then(), name="purge calls")

    async def _index_what_ends(self) -> None:
        while True:
            try:
                await self._index.catch_up()
            except Exception:
                log.exception("The index of calls can't be kept up; trying again")
            await asyncio.sleep(self._interval)

    async def _purge_now_and_then(self) -> None:
        while True:
            try:
                await self.purge()
            except Exception:
                log.exception("Calls could not be purged; trying again later")
            await asyncio.sleep(self._purge_interval)

    async def purge(self) -> int:
        """Remove the calls whose time is over; returns how many those were."""
        before = self._clock.now() - self._keep
        purged, last = 0, None
        while done := await self._database.write(
            partial(purge_calls, before=before, after=last, limit=_PURGED_AT_ONCE)
        ):
            last = done.last
            purged += done.calls
            await asyncio.sleep(_PURGE_PAUSE if done.calls else 0)
        # Also what an earlier purge had no time for: a call was accepted before it ended.
        await self._index.forget(position_of(before))
        return purged

"""Recordings that their nodes don't give: how many wait, and an end to those that have waited too long.

A node may be switched off for good, or have left the settings. Which nodes other controllers have nobody here
knows, so age alone decides: what a node gives later than this could be kept no longer anyway.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from controller.clock import Clock
from controller.store import recordings
from controller.store.database import Database

log = logging.getLogger(__name__)

GRACE: Final = timedelta(days=1)
"""After the time for which a recording is kept; then nobody waits for it any more."""

_USUAL: Final = timedelta(minutes=5)
"""From the end of a call until its recording is fetched, at most, when all is well."""

_LOOK_AGAIN: Final = 30.0
"""Seconds."""

_AT_ONCE: Final = 200


class Waiting:
    """What waits on all nodes; `keep` is how long recordings are kept."""

    def __init__(self, database: Database, clock: Clock, keep: timedelta, nodes: Iterable[str]) -> None:
        self._database = database
        self._clock = clock
        self._patience = keep + GRACE
        self._nodes = tuple(nodes)
        self.counts: Mapping[str, int] = dict.fromkeys(self._nodes, 0)
        """By node: recordings that are late, of all controllers, as of some seconds ago."""

    async def run(self) -> None:
        """Look, again and again, until cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("Recordings that wait can't be looked at; trying again")
            await asyncio.sleep(_LOOK_AGAIN)

    async def look(self) -> None:
        """Give up what has waited too long and count the others."""
        now = self._clock.now()
        overdue = partial(recordings.overdue, started_before=now - self._patience, limit=_AT_ONCE)
        while gone := await self._database.read(overdue):
            ids = [recording.call_id for recording in gone]
            await self._database.write(partial(recordings.give_up, call_ids=ids, now=now))
            for recording in gone:
                log.error(
                    "A recording is given up: its node did not give it for too long",
                    extra={
                        "call": recording.call_id,
                        "node": recording.node,
                        "days": self._patience.days,
                    },
                )
        late = await self._database.read(partial(recordings.waiting, ended_before=now - _USUAL))
        self.counts = {**dict.fromkeys(self._nodes, 0), **late}

"""What was replaced or deleted leaves the folder that nodes play from, once no call can play it any more.

A call takes its prompts when it is asked for, and may go on for a day. So a prompt goes when it was needed by
nobody for longer than that: no sound file names it, no call under way plays it, and it isn't one of ours.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Final

from controller.clock import Clock
from controller.prompts.library import PromptLibrary, digest_of
from controller.sounds.files import InUse
from controller.store import sounds as rows
from controller.store.database import Database

log = logging.getLogger(__name__)

GRACE: Final = timedelta(hours=25)
"""A call is at most 24 hours long, unless it has no limit; then its plan is in its row."""
_INTERVAL: Final = 3600.0
"""Seconds."""


class Sweeper:
    """Sweeps the folder of one controller's nodes.

    :param ours: digests of prompts that no sound file names: those that come with the program.
    """

    def __init__(
        self,
        database: Database,
        library: PromptLibrary,
        clock: Clock,
        in_use: InUse,
        ours: Callable[[], Collection[str]],
    ) -> None:
        self._database = database
        self._library = library
        self._clock = clock
        self._in_use = in_use
        self._ours = ours

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.sweep()
            except Exception:
                log.exception("Prompts that nobody needs can't be removed; trying again later")
            await asyncio.sleep(_INTERVAL)

    async def sweep(self) -> int:
        """Remove what nobody has needed for long; returns how many prompts those were."""
        named = await self._database.read(rows.referenced)
        plans = await self._database.read(rows.media_of_live_plans)
        needed = {*named, *map(digest_of, plans), *self._ours()}

        def is_needed(digest: str) -> bool:
            return digest in needed or bool(self._in_use(self._library.media(digest)))

        now = self._clock.now().timestamp()
        gone = await asyncio.to_thread(self._library.sweep, is_needed, now, GRACE.total_seconds())
        if gone:
            log.info("Prompts that nobody needs are removed", extra={"prompts": len(gone)})
        return len(gone)

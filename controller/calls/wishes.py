"""Wishes to end calls: whichever controller is asked, the one that has the call ends it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from controller.calls.outcome import STOPPED
from controller.calls.service import CallService
from controller.clock import Clock
from controller.store.controllers import forget_wishes, stop_wishes, wish_stop
from controller.store.database import Database

log = logging.getLogger(__name__)

_INTERVAL = 0.3
"""Seconds from one look for calls that other controllers were asked to end to the next."""

_KEPT = timedelta(hours=1)


class StopWishes:
    """Ends calls of this controller and, by way of the database, those of others."""

    def __init__(
        self,
        database: Database,
        calls: CallService,
        clock: Clock,
        controller: str,
        is_certain: Callable[[], bool] = lambda: True,
    ) -> None:
        """`controller`: whose the calls of this one are in the database.

        `is_certain`: whether nobody can have taken them over.
        """
        self._database = database
        self._calls = calls
        self._clock = clock
        self._controller = controller
        self._is_certain = is_certain

    async def stop(self, session_id: str, app_key: str) -> bool:
        """End a call of an app, whichever controller has it; False if there is none or it has ended."""
        # Else the database says whose it is: nobody is to be told that a call ends which another one runs.
        if self._is_certain() and self._calls.stop(session_id, app_key):
            return True
        if not self._database.shared:
            return False
        now = self._clock.now()
        return await self._database.write(lambda session: wish_stop(session, session_id, app_key, now))

    async def run(self) -> None:
        """End what other controllers were asked to end, until cancelled."""
        while self._database.shared:
            try:
                await self._hear()
            except Exception:
                log.exception("What others were asked to end can't be read; trying again")
            await asyncio.sleep(_INTERVAL)

    async def _hear(self) -> None:
        wishes = await self._database.read(lambda session: stop_wishes(session, self._controller))
        # One that was taken over just now does not run yet: its wish is heard the next time.
        heard = [call_id for call_id in wishes if self._calls.end(call_id, STOPPED)]
        if heard:
            before = self._clock.now() - _KEPT
            await self._database.write(lambda session: forget_wishes(session, heard, before))

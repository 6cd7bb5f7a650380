"""How far this machine's clock is from the database server's, which all controllers can compare theirs with.

What several controllers count within a second, calls, they count by their own clocks: it is as exact as these
agree.
"""

import asyncio
import logging
from typing import Final

from controller.clock import Clock
from controller.store.database import Database
from controller.store.server_clock import TOLERANCE, clock_ahead

log = logging.getLogger(__name__)

LOOK: Final = 10.0
"""Seconds from one look to the next."""


class ClockSkew:
    """Looks at both clocks, where several controllers may share the database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.ahead: float | None = None
        """Seconds by which our clock is ahead of the server's, behind if negative; None: that isn't known."""

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while self._database.shared:
            try:
                await self.look()
            except Exception:
                self.ahead = None
                log.exception("The database's clock can't be read; trying again")
            await asyncio.sleep(LOOK)

    async def look(self) -> None:
        """Compare the clocks, and say so when they begin to differ and when they agree again."""
        was_off = self.is_off
        self.ahead = await self._database.read(lambda session: clock_ahead(session, self._clock))
        if self.is_off and not was_off:
            log.warning(
                "This machine's clock is not the database's: calls per second may exceed their limits",
                extra={"seconds_ahead": round(self.ahead, 3)},
            )
        elif was_off and not self.is_off:
            log.info("This machine's clock agrees with the database's")

    @property
    def is_off(self) -> bool:
        """Whether the clocks are known to differ by more than TOLERANCE."""
        return self.ahead is not None and abs(self.ahead) > TOLERANCE

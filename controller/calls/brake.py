"""Whether one more call can be taken without harm to those that run. If not it is refused early.

What tells is how long things wait: a queue that is served in time may be long, one that is not helps
nobody.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from controller.asterisk.errors import FleetError

log = logging.getLogger(__name__)

TRY_AGAIN: Final = timedelta(seconds=1)

_LOOK_EVERY: Final = 0.1
"""Seconds between two looks at how late the event loop is."""

_LOOP_LATE: Final = 1.0
"""Seconds by which the event loop may be late."""


class Overloaded(FleetError):
    """There is as much to do as can be done in time; `passes_in` is when to ask again."""

    passes_in = TRY_AGAIN


@dataclass(frozen=True)
class Wait:
    """Something that waits for its turn: since how many `seconds` now, and how many are no trouble."""

    name: str
    seconds: Callable[[], float]
    at_most: float


class Brake:
    """Refuses calls while there are `max_calls` (0: any number) or something waits for too long."""

    def __init__(self, max_calls: int = 0, waits: Iterable[Wait] = ()) -> None:
        self._max_calls = max_calls
        self._waits = (*waits, Wait("event loop", lambda: self._late, _LOOP_LATE))
        self._late = 0.0
        self._refusing = ""

    def check(self, live: int) -> None:
        """Raise Overloaded unless one more call can be taken beside those that are `live`."""
        if self._max_calls and live >= self._max_calls:
            self._note("calls")
            raise Overloaded("there are as many calls as there may be")
        for wait in self._waits:
            if wait.seconds() > wait.at_most:
                self._note(wait.name)
                raise Overloaded(f"too much waits: {wait.name}")
        self._note("")

    def _note(self, why: str) -> None:
        """Say once that calls are refused, and once that they are not any more."""
        if why and not self._refusing:
            log.warning("Calls are refused, there is too much to do", extra={"what": why})
        elif not why and self._refusing:
            log.warning("Calls are taken again")
        self._refusing = why

    async def run(self) -> None:
        """Watch the event loop until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LOOK_EVERY
            await asyncio.sleep(_LOOK_EVERY)
            # One that was late is not trusted at once, as what made it so may have come in bunches.
            self._late = max(loop.time() - due, self._late / 2)

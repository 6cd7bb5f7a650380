"""What a node has shown that it can play, since it was connected.

Of several media that are played in a row Asterisk passes over those that it can't get, and says that all went
well. Where none may be missing, as of a code, the node plays each of them to nobody first.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from controller.asterisk.errors import CannotPlay

_TRIES = 2
"""Asterisk fetches a medium again after a failure, and fails when two have it fetch the same one."""


class Proofs:
    """Each medium is tried once, however many wait for it."""

    def __init__(self, try_out: Callable[[str, float], Awaitable[None]]) -> None:
        """`try_out` plays a medium of so many seconds to nobody, or raises CannotPlay."""
        self._try_out = try_out
        self._proven: set[str] = set()
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def check(self, media: Mapping[str, float]) -> None:
        """Have those tried that were not yet; media with their seconds. Raises CannotPlay."""
        tries = [
            self._tried(medium, seconds) for medium, seconds in media.items() if medium not in self._proven
        ]
        # Whoever gives up must not take it away from the others who wait for it.
        await asyncio.gather(*map(asyncio.shield, tries))

    def forget(self) -> None:
        """Whatever was shown may no longer be so."""
        self._proven = set()

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tried(self, medium: str, seconds: float) -> asyncio.Task[None]:
        task = self._under_way.get(medium)
        if task is None:
            task = asyncio.create_task(self._try(medium, seconds, self._proven), name="try out a medium")
            self._under_way[medium] = task
            task.add_done_callback(lambda _done: self._under_way.pop(medium))
        return task

    async def _try(self, medium: str, seconds: float, proven: set[str]) -> None:
        for left in reversed(range(_TRIES)):
            try:
                await self._try_out(medium, seconds)
            except CannotPlay:
                if not left:
                    raise
            else:
                proven.add(medium)
                return

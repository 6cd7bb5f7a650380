"""What a phone hears while it waits for another: a prompt over and over, or ringback."""

import asyncio
import math
from collections.abc import Awaitable, Callable

from controller.calls.call import Prompt

_RINGBACK = "tone:ring"
"""Of the node's country, see indications.conf."""

_SHORTEST_LOOP, _MOST_REPEATS = 0.5, 300
"""A looped prompt counts as this many seconds at least, and is repeated this often at most."""

_CHECKED_AFTER = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds until it is looked whether what was stopped still plays, time and again."""


class WaitingSound:
    """One sound at a time; nobody waits for its end. `quiet` helps also after a cancellation."""

    def __init__(
        self,
        next_playback: Callable[[], str],
        begin: Callable[[str, str], Awaitable[None]],
        stop: Callable[[str], Awaitable[None]],
        plays: Callable[[str], Awaitable[bool]],
    ) -> None:
        """`begin`: playback, media; `stop` ends a playback, whether or not there is one, as `plays` tells."""
        self._next_playback = next_playback
        self._begin = begin
        self._stop = stop
        self._plays = plays
        self._playback: str | None = None
        self._media: str | None = None
        self._stopped: list[str] = []

    async def loop(self, prompt: Prompt, seconds: float) -> None:
        """Play a prompt over and over, for `seconds` at least or until something else is to be heard."""
        repeats = max(1, math.ceil(seconds / max(prompt.seconds, _SHORTEST_LOOP)))
        await self._play(",".join([prompt.media] * min(repeats, _MOST_REPEATS)))

    async def ringback(self) -> None:
        """The ringing that a caller hears when the far end sends none."""
        if self._media != _RINGBACK:
            await self._play(_RINGBACK)

    async def quiet(self) -> None:
        """Stop what plays."""
        if self._playback is not None:
            self._stopped.append(self._playback)
            await self._stop(self._playback)
        self._playback = self._media = None

    async def stays_quiet(self) -> None:
        """Make sure that what was stopped plays no more: Asterisk may lose a stop that meets a beginning."""
        for pause in _CHECKED_AFTER:
            if not self._stopped:
                return
            await asyncio.sleep(pause)
            self._stopped = [playback for playback in self._stopped if await self._plays(playback)]
            for playback in self._stopped:
                await self._stop(playback)

    async def _play(self, media: str) -> None:
        await self.quiet()
        # Known before it is asked for: it may play although the asking was interrupted.
        self._playback, self._media = self._next_playback(), media
        await self._begin(self._playback, media)

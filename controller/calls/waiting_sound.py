"""What a phone hears while it waits for another: a prompt over and over, or ringback."""

import math
from collections.abc import Awaitable, Callable

from controller.calls.call import Prompt

_RINGBACK = "tone:ring"
"""Of the node's country, see indications.conf."""

_SHORTEST_LOOP, _MOST_REPEATS = 0.5, 300
"""A looped prompt counts as this many seconds at least, and is repeated this often at most."""


class WaitingSound:
    """One sound at a time; nobody waits for its end. `quiet` helps also after a cancellation."""

    def __init__(
        self,
        next_playback: Callable[[], str],
        begin: Callable[[str, str], Awaitable[None]],
        stop: Callable[[str], Awaitable[None]],
    ) -> None:
        """`begin`: playback, media; `stop` ends a playback, whether or not there is one."""
        self._next_playback = next_playback
        self._begin = begin
        self._stop = stop
        self._playback: str | None = None
        self._media: str | None = None

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
            await self._stop(self._playback)
        self._playback = self._media = None

    async def _play(self, media: str) -> None:
        await self.quiet()
        # Known before it is asked for: it may play although the asking was interrupted.
        self._playback, self._media = self._next_playback(), media
        await self._begin(self._playback, media)

"""What the network of a phone that has not answered plays: ringback, or an announcement.

Asterisk listens: TALK_DETECT tells when there is sound, TONE_DETECT counts tones of one frequency. Sound that
goes on through a look in which no such tone was counted is an announcement.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controller import ari

log = logging.getLogger(__name__)

_LOOK = 0.45
"""Seconds of sound that are judged at a time: more than `_TONE` and `_SILENCE` together. So of a tone that
ends meanwhile, either the tone is counted or its end is told. At worst an announcement begins just too late
for one look and is found in the next."""

_TONE = 200
"""Milliseconds after which a tone counts; the shortest of a ringback (United Kingdom) lasts 400."""

_SILENCE = 150
"""Milliseconds after which a sound is over."""


class EarlySound:
    """Listens to one channel, from its first early media (183) on."""

    def __init__(self, asterisk: ari.Client, channel_id: str, ringback_frequency: int) -> None:
        """`ringback_frequency` in Hz."""
        self._asterisk = asterisk
        self._id = channel_id
        self._detector = f"TONE_DETECT({ringback_frequency},{_TONE},r)"
        self._events = asterisk.listen(f"channel:{channel_id}")
        self._sounds = False

    async def announcement(self) -> None:
        """Wait until something is played that is no ringback; if need be for ever."""
        with self._events:
            while not await self._media_comes():
                pass
            async with self._detectors():
                while not await self._is_announcement():
                    pass

    async def _media_comes(self) -> bool:
        event = await self._events.get()
        # After a gap it may have come already; to listen too early does no harm.
        return isinstance(event, ari.ObjectPresent) or (
            isinstance(event, ari.Dial) and event.dialstatus == "PROGRESS"
        )

    @asynccontextmanager
    async def _detectors(self) -> AsyncIterator[None]:
        """They cost Asterisk a look at every frame, so they don't outlast the block."""
        await self._set("TALK_DETECT(set)", str(_SILENCE))
        try:
            yield
        finally:
            await self._set("TALK_DETECT(remove)")
            await self._set("TONE_DETECT(0,,x)")

    async def _set(self, function: str, value: str = "") -> None:
        try:
            await self._asterisk.channels.set_variable(self._id, function, value)
        except ari.NotFound:
            # The channel is gone; whoever reads its end knows why.
            pass
        except ari.AriError as error:
            log.warning("Early media is not listened to", extra={"channel": self._id, "error": str(error)})

    async def _is_announcement(self) -> bool:
        """One look at the next sound, or at one that goes on."""
        while not self._sounds:
            self._heed(await self._events.get())
        # Set again, the detector counts a tone that has long begun as another one.
        await self._set(self._detector)
        before = await self._tones()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK):
                while self._sounds:
                    self._heed(await self._events.get())
        tones = await self._tones()
        with contextlib.suppress(TimeoutError):
            # What came before that answer counts too, however busy this process is.
            async with asyncio.timeout(0):
                while True:
                    self._heed(await self._events.get())
        return self._sounds and before is not None and tones == before

    def _heed(self, event: ari.Event) -> None:
        if isinstance(event, ari.ChannelTalkingStarted):
            self._sounds = True
        elif isinstance(event, ari.ChannelTalkingFinished | ari.ChannelDestroyed | ari.ObjectGone):
            self._sounds = False

    async def _tones(self) -> int | None:
        """Tones counted so far; None if Asterisk can't tell."""
        try:
            return int(await self._asterisk.channels.variable(self._id, "TONE_DETECT(rx)"))
        except (ari.AriError, ValueError):
            return None

"""Whether a node can play a sound: it is asked to, in a channel that nobody listens to."""

import asyncio
import contextlib
import secrets

from controller import ari
from controller.asterisk import simulated
from controller.asterisk.errors import CannotPlay

_PATIENCE = 5.0
"""Seconds."""

_END_MS = 200
"""What is played of a sound: enough to know that it is there to its end."""


async def check_plays(asterisk: ari.Client, media: str, seconds: float) -> None:
    """Play the end of a sound of this length. Raises CannotPlay."""
    channel = f"probe-{secrets.token_hex(8)}"
    try:
        async with asyncio.timeout(_PATIENCE):
            await asterisk.wait_ready()
            with asterisk.listen(f"channel:{channel}") as events:
                await _play_end(asterisk, events, channel, media, round(seconds * 1000))
    except TimeoutError:
        raise CannotPlay(f"it did not in {_PATIENCE:g} s") from None
    except ari.AriError as error:
        raise CannotPlay(str(error)) from error


async def _play_end(
    asterisk: ari.Client, events: ari.EventStream, channel: str, media: str, length_ms: int
) -> None:
    await asterisk.channels.originate(
        simulated.LISTENER, channel_id=channel, timeout=round(_PATIENCE), formats="alaw"
    )
    try:
        await _until(events, ari.StasisStart)
        begun = asyncio.get_running_loop().time()
        await asterisk.channels.play(
            channel, media, playback_id=f"{channel}.1", offset_ms=max(0, length_ms - _END_MS) or None
        )
        finished = await _until(events, ari.PlaybackFinished)
        assert isinstance(finished, ari.PlaybackFinished)
        if finished.playback.state != "done":
            raise CannotPlay("Asterisk can't open or read the file")
        # Nothing plays faster than it sounds: what is over sooner is not there to its end.
        if asyncio.get_running_loop().time() - begun < min(length_ms, _END_MS) / 2000:
            raise CannotPlay("the file is shorter than it should be")
    finally:
        with contextlib.suppress(ari.AriError):
            await asterisk.channels.hang_up(channel)


async def _until(events: ari.EventStream, kind: type[ari.Event]) -> ari.Event:
    async for event in events:
        if isinstance(event, kind):
            return event
        if isinstance(event, ari.ChannelDestroyed | ari.ObjectGone):
            break
    raise CannotPlay("the channel to play it to ended")

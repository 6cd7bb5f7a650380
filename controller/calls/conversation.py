"""A conversation: the bridge that joins two legs, what both hear in it, and its recording."""

import asyncio
import contextlib
import logging
from types import TracebackType
from typing import Self

from controller import ari
from controller.asterisk.node import Node
from controller.calls.call import Prompt
from controller.calls.handing_over import is_handed_over
from controller.calls.line import LegOver, Line, insist
from controller.calls.outcome import NODE_LOST
from controller.time_limit import time_limit

log = logging.getLogger(__name__)

_STOP_TIMEOUT = 5.0
"""Seconds in which Asterisk says that a recording is complete."""


_BRIDGE = ".bridge"


def bridge_id(call_id: str) -> str:
    """The bridge of a call."""
    return f"{call_id}{_BRIDGE}"


def call_of_bridge(bridge: str) -> str | None:
    """The call that a bridge belongs to; None: it isn't one of ours."""
    return bridge.removesuffix(_BRIDGE) if bridge.endswith(_BRIDGE) else None


class Conversation:
    """A bridge, used as a block: at its end it is gone. The legs hang up by themselves."""

    def __init__(self, node: Node, call_id: str) -> None:
        self.id = bridge_id(call_id)
        self.recording_name = call_id
        self._node = node
        self._ari = node.ari
        self._events = node.ari.listen(f"bridge:{self.id}")
        self.recorded = False
        """Asterisk records it, or was asked to and has not answered."""
        self._is_there = False

    def adopt(self) -> None:
        """Its legs talked in it when its controller went away, and it is ours now."""
        self._is_there = True

    async def join(self, *legs: Line) -> None:
        """Put legs into the bridge. Raises LegOver if the last of them is gone."""
        await legs[-1].command(self._ari.bridges.add_channels(self.id, *(leg.id for leg in legs)))

    async def rejoin(self, leg: Line) -> None:
        """Have Asterisk choose anew how it joins the two, now that both talk.

        It chose when the leg had no sound yet. Two legs that talk and are heard by nobody else are joined in
        the RTP engine, which costs a seventh less of Asterisk's time. If that fails they talk all the same:
        the end of a leg is told by its events.
        """
        with contextlib.suppress(ari.AriError):
            await self._ari.bridges.add_channels(self.id, leg.id)

    async def play_to_all(self, prompt: Prompt, purpose: str) -> None:
        """Play a prompt to both legs, without waiting for its end; `purpose` tells it from other prompts."""
        # What both would have heard is no reason to end their conversation.
        with contextlib.suppress(ari.AriError):
            media = self._node.media(prompt.media)
            await self._ari.bridges.play(self.id, media, playback_id=f"{self.id}.{purpose}")

    async def record(self) -> bool:
        """Record both directions until the end of the block; False if Asterisk can't.

        It may record already: a controller that went away asked for it, or an answer was lost with the
        connection.
        """
        self.recorded = True
        while True:
            try:
                await self._ari.bridges.record(self.id, name=self.recording_name, audio_format="alaw")
            except ari.Conflict:
                pass
            except ari.ResponseError as error:
                log.error("A call is not recorded", extra={"call": self.recording_name, "error": str(error)})
                self.recorded = False
                return False
            except ari.AriError:
                await self._ari.wait_ready()
                continue
            return True

    async def _stop_recording(self) -> None:
        """Keep what was recorded: it is complete when Asterisk says so."""
        with contextlib.suppress(ari.AriError, TimeoutError):
            await self._ari.recordings.stop(self.recording_name)
            async with time_limit(_STOP_TIMEOUT):
                async for event in self._events:
                    if isinstance(event, ari.RecordingFinished | ari.RecordingFailed | ari.ObjectGone):
                        return

    async def _destroy(self) -> None:
        await insist(lambda: self._ari.bridges.destroy(self.id), self.recording_name)

    async def __aenter__(self) -> Self:
        try:
            if not self._is_there:
                await self._ari.bridges.create(bridge_id=self.id)
        except ari.AriError as error:
            self._events.close()
            # It may be there all the same: what is lost or late is often only the answer.
            await self._destroy()
            raise LegOver(NODE_LOST) from error
        except asyncio.CancelledError as error:
            self._events.close()
            if not is_handed_over(error):
                await self._destroy()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not is_handed_over(error):
                try:
                    if self.recorded:
                        await self._stop_recording()
                finally:
                    await self._destroy()
        finally:
            self._events.close()

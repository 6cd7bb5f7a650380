"""A leg: one phone as a flow sees it, with what it hears and the keys that it presses."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from functools import cached_property

from controller import ari
from controller.asterisk.errors import CannotPlay
from controller.calls.call import PlayItem, Prompt
from controller.calls.collection import Collection
from controller.calls.line import END_FOLLOWS, LegOver, Line
from controller.calls.outcome import NORMAL, PLAY_FAILED, PROMPT_MISSING
from controller.calls.timeline import Kind
from controller.calls.waiting_sound import WaitingSound
from controller.prompts.library import is_gone

log = logging.getLogger(__name__)

_SOUND_PAUSES = {True: (0.0, *(0.1,) * 9), False: (0.2, 0.3, 0.5)}
"""Seconds before Asterisk is asked once more whether sound has come: that which is announced, and other."""

_CHECK_INTERVAL, _LONGEST_CHECK_INTERVAL = 10.0, 60.0
"""Seconds without news of a prompt after which Asterisk is asked whether it still plays. Each time it is
twice as many: where the news of the end is lost, the silence is no longer than the prompt was."""

_PLAYED_BEFORE_TALK = 4
"""Playbacks of a leg before it talks, at most: prompt, wait sound, ringback and another ringback."""


class Leg(Line):
    """One phone. Used as a block: at its end the phone is hung up, whatever happened."""

    _playbacks = 0
    _media = ""
    """What was played last, as the controller knows it."""

    @cached_property
    def waiting(self) -> WaitingSound:
        """What the phone hears while it waits for another."""
        return WaitingSound(self._next_playback, self._begin, self._stop, self._still_plays)

    def _let_go(self) -> None:
        super()._let_go()
        self.__dict__.pop("waiting", None)

    def adopt(self) -> None:
        """It talked when its controller went away, and is ours now."""
        self._exists = self._entered = self._answered = True

    async def take_over(self) -> None:
        """Find out how an adopted leg is, and have it hear nothing but the other."""
        try:
            await self._node.ari.channels.get(self.id)
        except ari.NotFound:
            # It ended between the snapshot and now.
            self._over = NORMAL.on_leg(self.name)
        except ari.AriError:
            # The next connection tells what became of it.
            pass
        # The controller may have gone away before it could stop what the phone heard while it waited.
        for number in range(1, _PLAYED_BEFORE_TALK + 1):
            await self._stop(f"{self.id}.{number}")
        self._playbacks = _PLAYED_BEFORE_TALK

    async def is_heard(self, *, announced: bool) -> bool:
        """Sound has come from the phone, or comes within a second; `announced`: by a 183."""
        for pause in _SOUND_PAUSES[announced]:
            await asyncio.sleep(pause)
            try:
                if (await self._node.ari.channels.rtp_statistics(self.id)).rxcount > 0:
                    return True
            except ari.NotFound:
                # There is no RTP yet, or the channel is gone.
                pass
            except ari.ResponseError:
                # Of what doesn't come over RTP, such as simulated callees, nothing is counted.
                return announced
            except ari.AriError:
                pass
        return False

    async def announce(self, prompt: Prompt) -> None:
        """Play a prompt to this phone alone, without waiting for its end; it is no reason to end a call."""
        with contextlib.suppress(ari.AriError):
            media = self._node.media(prompt.media)
            await self._node.ari.channels.play(self.id, media, playback_id=self._next_playback())

    def _next_playback(self) -> str:
        self._playbacks += 1
        return f"{self.id}.{self._playbacks}"

    async def _begin_playing(self, media: str) -> str:
        playback = self._next_playback()
        await self._begin(playback, media)
        return playback

    async def _begin(self, playback: str, media: str) -> None:
        self._media = media
        await self.command(
            self._node.ari.channels.play(self.id, self._node.media(media), playback_id=playback)
        )

    async def play_secretly(self, prompts: Sequence[Prompt], after: Prompt | None = None) -> None:
        """Play prompts in a row; nothing is told of any but the one they come `after`.

        If one is gone none is played: Asterisk would pass over it, and a code without it is another one.
        """
        row = prompts if after is None else (after, *prompts)
        await self.check_playable(row)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        playback = await self._begin_playing(",".join(prompt.media for prompt in row))
        if after is not None:
            self._tell_prompt(PlayItem(after))
        await self._while_playing(playback, Collection(0, 0, 0))
        if self._node.fetches and loop.time() - begun < _shortest(row, prompts):
            self._node.doubt()
            await self._end_or_nothing(END_FOLLOWS)
            log.error("A node passed over a part of a code", extra={"call": self._call_id})
            raise LegOver(PROMPT_MISSING.on_leg(self.name))

    async def check_playable(self, prompts: Sequence[Prompt]) -> None:
        """Raise LegOver if one of the prompts is gone, or if the node can't get it."""
        if any(is_gone(prompt.media) for prompt in prompts):
            raise LegOver(PROMPT_MISSING.on_leg(self.name))
        try:
            await self._node.check_fetches({prompt.media: prompt.seconds for prompt in prompts})
        except CannotPlay as error:
            log.error(
                "A node can't fetch a prompt of a code", extra={"call": self._call_id, "error": str(error)}
            )
            raise LegOver(PROMPT_MISSING.on_leg(self.name)) from error

    async def play(self, prompt: Prompt) -> None:
        """Play a prompt to its end. Raises LegOver when the phone hangs up or nothing can be played."""
        await self.play_and_collect(PlayItem(prompt))

    async def play_and_collect(self, item: PlayItem) -> str:
        """Play an item and collect its digits; the first key stops the prompt.

        Returns the digits pressed in time, "" if none (or none were asked for).
        """
        loop = asyncio.get_running_loop()
        collection = Collection(item.collect, self._timeouts.first_digit, self._timeouts.inter_digit)
        collection = await self._while_playing(await self._start(item), collection)
        while not collection.complete:
            assert collection.deadline is not None
            try:
                event = await self._next(collection.deadline - loop.time(), ari.ChannelDtmfReceived)
            except TimeoutError:
                break
            assert isinstance(event, ari.ChannelDtmfReceived)
            collection = collection.pressed(event.digit, loop.time())
        return collection.digits

    async def _while_playing(self, playback: str, collection: Collection) -> Collection:
        """Until the prompt has ended, or a wanted key has stopped it."""
        loop, patience = asyncio.get_running_loop(), _CHECK_INTERVAL
        while True:
            event = await self._news_of_prompt(patience)
            if isinstance(event, ari.ChannelDtmfReceived):
                if collection.wanted:
                    await self._stop(playback)
                    return collection.pressed(event.digit, loop.time())
            elif isinstance(event, ari.PlaybackFinished):
                if event.playback.id == playback:
                    await self._check_played(event.playback)
                    return collection.prompt_ended(loop.time())
            elif not await self._still_plays(playback):
                return collection.prompt_ended(loop.time())
            elif event is None:
                patience = min(2 * patience, _LONGEST_CHECK_INTERVAL)

    async def _news_of_prompt(self, patience: float) -> ari.Event | None:
        """What happens while a prompt plays; None when nothing was heard for so long: its end may be lost."""
        try:
            return await self._next(
                patience, ari.ChannelDtmfReceived, ari.PlaybackFinished, ari.ObjectPresent
            )
        except TimeoutError:
            return None

    async def _check_played(self, playback: ari.Playback) -> None:
        if playback.state == "failed":
            await self._end_or_nothing(END_FOLLOWS)
            gone = any(is_gone(medium) for medium in self._media.split(","))
            outcome = PROMPT_MISSING if gone else PLAY_FAILED
            raise LegOver(outcome.on_leg(self.name))

    async def _start(self, item: PlayItem) -> str:
        prompt = item.prompt
        assert isinstance(prompt, Prompt), "words are made a prompt before"
        playback = await self._begin_playing(prompt.media)
        self._tell_prompt(item)
        return playback

    def _tell_prompt(self, item: PlayItem) -> None:
        detail = {"prompt": item.prompt.name, "collects": item.collect}
        spoken = isinstance(item.prompt, Prompt) and item.prompt.spoken
        self._tell(Kind.PROMPT, self.name, detail | ({"spoken": True} if spoken else {}))

    async def _stop(self, playback: str) -> None:
        with contextlib.suppress(ari.AriError):
            await self._node.ari.playbacks.stop(playback)

    async def _still_plays(self, playback: str) -> bool:
        try:
            await self._node.ari.playbacks.get(playback)
        except ari.NotFound:
            return False
        except ari.AriError:
            return True
        return True


def _shortest(row: Sequence[Prompt], digits: Sequence[Prompt]) -> float:
    """Seconds before which prompts in a row can't be over, unless one of the digits was passed over."""
    return sum(prompt.seconds for prompt in row) - min(digit.seconds for digit in digits) / 2

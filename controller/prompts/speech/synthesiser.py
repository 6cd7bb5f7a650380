"""Text in, telephone sound out: the asynchronous face of the speech engines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from controller.prompts import alaw, loudness, wav
from controller.prompts.errors import SpeechBusyError, SpeechEngineError, UnreadableTextError
from controller.prompts.reading import Language, Passage, read_aloud
from controller.prompts.resample import TELEPHONE_RATE, resample, to_int16
from controller.prompts.speech.cache import SpeechCache, key_of
from controller.prompts.speech.engine import Speech, SpeechEngine

_log: Final = logging.getLogger(__name__)
_RECIPE: Final = "1"  # changes whenever the same speech would come out as other bytes
_PAUSE: Final = alaw.SILENCE * round(0.3 * TELEPHONE_RATE)
_EDGE: Final = alaw.SILENCE * round(0.05 * TELEPHONE_RATE)


class Synthesiser:
    """Makes each passage once, keeps it, and puts passages together.

    :param engine: says what isn't in the cache.
    :param parallel: syntheses at the same time.
    :param waiting: syntheses under way or waiting; above that a text is refused, as it would come too late.
    :param timeout: seconds that one passage may take once it is its turn.
    """

    def __init__(
        self,
        engine: SpeechEngine,
        cache: SpeechCache,
        *,
        parallel: int = 1,
        waiting: int = 64,
        timeout: float = 60.0,
    ) -> None:
        self._engine = engine
        self._cache = cache
        self._turn = asyncio.Semaphore(parallel)
        self._waiting = waiting
        self._timeout = timeout
        self._under_way: dict[str, asyncio.Task[bytes]] = {}

    async def say(self, text: str, *, language: Language = Language.CHINESE) -> bytes:
        """A WAV file in the required form that says ``text`` by the reading rules.

        :param language: of a text without any letters, like "1234".
        :raises SpeechError: the text can't be turned into sound.
        :raises SoundFileError: it would be longer than 2 MB of sound.
        """
        return await self.say_passages(read_aloud(text, language=language))

    async def say_passages(self, passages: Sequence[Passage]) -> bytes:
        """A WAV file in the required form that says the passages, with a pause between them.

        :raises SpeechError: one of them can't be turned into sound.
        :raises SoundFileError: it would be longer than 2 MB of sound.
        """
        if not passages:
            raise UnreadableTextError("Nothing in the text can be read aloud")
        sounds = await asyncio.gather(*(self._sound(passage) for passage in passages))
        return wav.write(_EDGE + _PAUSE.join(sounds) + _EDGE)

    async def close(self) -> None:
        """Give up what is under way and close the engine."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._engine.close()

    async def _sound(self, passage: Passage) -> bytes:
        key = key_of(
            _RECIPE, self._engine.identity, f"{loudness.TARGET_DBFS:g}", passage.language, passage.text
        )
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._made(key, passage), name=f"speech-{key[:8]}")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        # A caller that gives up must not take the sound away from the others who wait for it.
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise SpeechEngineError("The speech engine is being closed") from None
            raise

    def _finished(self, key: str, task: asyncio.Task[bytes]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()

    async def _made(self, key: str, passage: Passage) -> bytes:
        kept = await asyncio.to_thread(self._cache.get, key)
        if kept is not None:
            return kept
        if len(self._under_way) > self._waiting:
            raise SpeechBusyError(f"More than {self._waiting} syntheses are waiting")
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    speech = await self._engine.speak(passage)
            except TimeoutError as error:
                raise SpeechEngineError(f"The speech engine took more than {self._timeout:g} s") from error
        return await asyncio.to_thread(self._finish, key, speech)

    def _finish(self, key: str, speech: Speech) -> bytes:
        sound = telephone_sound(speech)
        if not sound:
            raise SpeechEngineError("The speech engine gave no sound")
        try:
            self._cache.put(key, sound)
        except OSError as error:
            _log.warning("A synthesised sound could not be kept: %s", error)
        return sound


def telephone_sound(speech: Speech) -> bytes:
    """A-law bytes of 8 kHz at the even loudness."""
    return alaw.encode(to_int16(loudness.level(resample(speech.samples, speech.rate))))

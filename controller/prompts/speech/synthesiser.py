"""Text in, playable prompts out: the asynchronous face of the speech engines."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from controller.prompts import alaw, loudness, wav
from controller.prompts.errors import SpeechBusyError, SpeechEngineError, SpeechError, UnreadableTextError
from controller.prompts.reading import Language, Passage, read_aloud
from controller.prompts.resample import TELEPHONE_RATE, resample, to_int16
from controller.prompts.speech.cache import SpeechCache
from controller.prompts.speech.engine import Speech, SpeechEngine

_log: Final = logging.getLogger(__name__)
_RECIPE: Final = "3"  # changes whenever the same speech would come out as other bytes
_PAUSE: Final = alaw.SILENCE * round(0.3 * TELEPHONE_RATE)
_TAIL: Final = alaw.SILENCE * round(0.05 * TELEPHONE_RATE)


@dataclass(frozen=True, slots=True)
class SpokenPrompt:
    """A prompt that Asterisk can play."""

    media: str
    seconds: float
    """How long it plays."""
    conversion_seconds: float
    """What making it took; 0 when it was there already."""


class Synthesiser:
    """Makes each prompt once and keeps it.

    :param engine: says what isn't in the cache.
    :param parallel: syntheses at the same time.
    :param waiting: prompts under way or waiting; above that one is refused, as it would come too late.
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
        self._under_way: dict[str, asyncio.Task[SpokenPrompt]] = {}
        self._warming: asyncio.Task[None] | None = None
        self.made = 0
        """Prompts that were synthesised."""
        self.reused = 0
        """Prompts that were there already."""

    @property
    def under_way(self) -> int:
        """Prompts that are being looked for or made."""
        return len(self._under_way)

    @asynccontextmanager
    async def playable(self, texts: Sequence[Sequence[Passage]]) -> AsyncIterator[list[SpokenPrompt]]:
        """A prompt for each text, with a pause between its passages; they stay until the end of the block.

        :raises SpeechError: one of them can't be turned into sound.
        """
        keys = [self._key(passages) for passages in texts]
        with self._cache.pinned(keys):
            yield await asyncio.gather(*map(self._prompt, keys, texts))

    async def say(self, text: str, *, language: Language = Language.CHINESE) -> bytes:
        """A WAV file in the required form that says ``text`` by the reading rules.

        :param language: of a text without any letters, like "1234".
        :raises SpeechError: the text can't be turned into sound.
        """
        return await self.sound_file(read_aloud(text, language=language))

    async def sound_file(self, passages: Sequence[Passage]) -> bytes:
        """A WAV file in the required form that says ``passages``.

        :raises SpeechError: they can't be turned into sound.
        """
        async with self.playable([passages]):
            sound = await asyncio.to_thread(self._cache.path(self._key(passages)).read_bytes)
        return wav.write(sound)

    def warm(self) -> None:
        """Let the engine load in the background what takes long, before the first text comes."""
        if self._warming is None:
            self._warming = asyncio.create_task(self._warm(), name="speech-warming")

    async def purge(self) -> None:
        """Drop kept prompts that are too old or too many. Raises OSError."""
        await asyncio.to_thread(self._cache.purge)

    async def close(self) -> None:
        """Give up what is under way and close the engine."""
        tasks: list[asyncio.Task[SpokenPrompt] | asyncio.Task[None]] = list(self._under_way.values())
        if self._warming is not None:
            tasks.append(self._warming)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._engine.close()

    async def _warm(self) -> None:
        try:
            await self._engine.prepare()
        except SpeechError as error:
            _log.error("The speech engine can't be started: %s", error)

    def _key(self, passages: Sequence[Passage]) -> str:
        said = (part for passage in passages for part in (passage.language, passage.text))
        return self._cache.key(_RECIPE, self._engine.identity, f"{loudness.TARGET_DBFS:g}", *said)

    async def _prompt(self, key: str, passages: Sequence[Passage]) -> SpokenPrompt:
        task = self._under_way.get(key)
        if task is None:
            task = asyncio.create_task(self._made(key, passages), name=f"speech-{key[:8]}")
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        # A caller that gives up must not take the prompt away from the others who wait for it.
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise SpeechEngineError("The speech engine is being closed") from None
            raise

    def _finished(self, key: str, task: asyncio.Task[SpokenPrompt]) -> None:
        del self._under_way[key]
        if not task.cancelled():
            task.exception()

    async def _made(self, key: str, passages: Sequence[Passage]) -> SpokenPrompt:
        media = f"sound:{self._cache.path(key).absolute().with_suffix('')}"
        kept = await asyncio.to_thread(self._cache.seconds, key)
        if kept is not None:
            self.reused += 1
            return SpokenPrompt(media, kept, 0.0)
        if not passages:
            raise UnreadableTextError("Nothing in the text can be read aloud")
        if len(self._under_way) > self._waiting:
            raise SpeechBusyError(f"More than {self._waiting} prompts are being synthesised")
        sounds, took = [], 0.0
        for passage in passages:
            sound, seconds = await self._sound(passage)
            sounds.append(sound)
            took += seconds
        # Nothing before it: whoever has answered waits for the first sound.
        whole = _PAUSE.join(sounds) + _TAIL
        self.made += 1
        return SpokenPrompt(media, await self._kept(key, whole), took)

    async def _sound(self, passage: Passage) -> tuple[bytes, float]:
        """A-law bytes of a passage, and the seconds that making them took."""
        loop = asyncio.get_running_loop()
        async with self._turn:
            started = loop.time()
            try:
                async with asyncio.timeout(self._timeout):
                    speech = await self._engine.speak(passage)
            except TimeoutError as error:
                raise SpeechEngineError(f"The speech engine took more than {self._timeout:g} s") from error
            sound = await asyncio.to_thread(telephone_sound, speech)
            if not sound:
                raise SpeechEngineError("The speech engine gave no sound")
            return sound, loop.time() - started

    async def _kept(self, key: str, sound: bytes) -> float:
        if len(sound) > wav.MAX_BYTES:
            raise SpeechEngineError(f"The prompt would have more than {wav.MAX_BYTES} bytes")
        try:
            return await asyncio.to_thread(self._cache.put, key, sound)
        except OSError as error:
            raise SpeechEngineError(f"A synthesised prompt can't be kept: {error.strerror}") from error


def telephone_sound(speech: Speech) -> bytes:
    """A-law bytes of 8 kHz at the even loudness."""
    return alaw.encode(to_int16(loudness.level(resample(speech.samples, speech.rate))))

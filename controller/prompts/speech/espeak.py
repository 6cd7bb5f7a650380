"""The fallback engine for a machine without a speech model: espeak-ng, a program of the system.

Chinese by this engine is hardly understood on a phone. It is for trying things out, and it says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from controller.prompts.conversion.decode import samples_of
from controller.prompts.errors import SoundFileError, SpeechEngineError, UnreadableTextError
from controller.prompts.optional import load
from controller.prompts.speech.engine import Language, Passage, Speech
from controller.prompts.speech.trim import trim

_log: Final = logging.getLogger(__name__)
# The voice "cmn" of espeak-ng 1.51 drops most syllables; the one that reads pinyin says them.
_VOICES: Final = {Language.CHINESE: "cmn-latn-pinyin+f3", Language.ENGLISH: "en-us+f3"}
_WORDS_PER_MINUTE: Final = 150

PROGRAM: Final = "espeak-ng"


class EspeakEngine:
    """Says passages with espeak-ng.

    :param program: name or path of the program.
    :param pinyin: pinyin with tone numbers of a Chinese text; pypinyin by default.
    """

    def __init__(self, program: str = PROGRAM, pinyin: Callable[[str], str] | None = None) -> None:
        self._program = program
        self._pinyin = pinyin or _pinyin
        _log.warning(
            "Speech comes from espeak-ng: Chinese is hardly intelligible. Run `voicecall speech fetch` "
            "for a natural voice."
        )

    @property
    def identity(self) -> str:
        """Program, voices and pace."""
        return f"espeak-ng/{'/'.join(_VOICES.values())}/{_WORDS_PER_MINUTE}"

    async def prepare(self) -> None:
        """Nothing takes long."""

    async def speak(self, passage: Passage) -> Speech:
        """Sound of ``passage``, usually at 22050 Hz.

        :raises SpeechEngineError: the program is missing or failed.
        :raises UnreadableTextError: nothing in the text has a sound.
        """
        text = passage.text
        if passage.language is Language.CHINESE:
            text = await asyncio.to_thread(self._pinyin, text)
        file = await self._run(_VOICES[passage.language], text)
        try:
            samples, rate = samples_of(file)
        except SoundFileError as error:
            raise SpeechEngineError(f"espeak-ng gave no sound: {error}") from error
        heard = trim(samples, rate)
        if heard.size == 0:
            raise UnreadableTextError("Nothing in the text can be read aloud")
        return Speech(heard, rate)

    async def close(self) -> None:
        """Nothing is held between calls."""

    async def _run(self, voice: str, text: str) -> bytes:
        # The text goes through a pipe: it is no option of the program, whatever it begins with.
        command = (self._program, "-v", voice, "-s", str(_WORDS_PER_MINUTE), "--stdin", "--stdout")
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise SpeechEngineError(f"{self._program} can't be started: {error}") from error
        try:
            output, complaint = await process.communicate(text.encode())
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        if process.returncode:
            reason = complaint.decode(errors="replace").strip()[:200]
            raise SpeechEngineError(f"{self._program} failed with {process.returncode}: {reason}")
        return output


def _pinyin(text: str) -> str:
    pypinyin = load("pypinyin")
    syllables = pypinyin.lazy_pinyin(text, style=pypinyin.Style.TONE3, neutral_tone_with_five=True)
    return " ".join(syllables)

"""Listens to what a phone hears, with a small speech recogniser that works offline (group `listening`)."""

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from controller.prompts import alaw
from controller.prompts.optional import load
from controller.prompts.reading import Language
from controller.prompts.resample import TELEPHONE_RATE, resample, to_float

LISTENING_MODEL = Path(__file__).parents[1] / ".cache" / "listening-model"
"""The recogniser's model, which `make setup` fetches."""

CHINESE_DIGITS = "零一二三四五六七八九"
ENGLISH_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGIT_SYLLABLES = ("ling", "yi", "er", "san", "si", "wu", "liu", "qi", "ba", "jiu")
SOUNDS_ALIKE = {"won": "one", "to": "two", "too": "two", "for": "four", "fore": "four", "ate": "eight"}
"""English words that are said like a digit."""

ENDLESS = 2.4
"""Compression ratio of a text that repeats itself: the limit that the recogniser's authors use for it."""

_RATE = 16000
AnySamples = NDArray[np.floating[Any]]


@dataclass
class Ear:
    """A recogniser: hears telephone sound, answers with text."""

    model: Any

    @classmethod
    def open(cls, folder: Path = LISTENING_MODEL) -> Self:
        """An ear with the model in `folder`. Raises MissingPackageError without the group `listening`."""
        recogniser = load("faster_whisper", extra="listening")
        return cls(recogniser.WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=2))

    def hear(self, sound: bytes, language: Language, hint: str | None = None) -> str:
        """What is said in A-law bytes of 8 kHz."""
        return self.hear_samples(to_float(alaw.decode(sound)), language, hint)

    def hear_samples(self, samples: AnySamples, language: Language, hint: str | None = None) -> str:
        """What is said in samples (-1 to 1) of 8 kHz."""
        return "".join(segment.text for segment in self._segments(samples, language, hint))

    def hear_digits(self, sound: bytes, language: Language) -> str:
        """The digits that are said, and nothing else.

        Now and then the recogniser repeats itself without end in the silence behind a code. That says nothing
        about the sound, so then it listens again, told to expect marks between the digits.
        """
        samples = to_float(alaw.decode(sound))
        digits = CHINESE_DIGITS if language is Language.CHINESE else ENGLISH_DIGITS
        gap, mark, end = ("", "、", "。") if language is Language.CHINESE else (" ", ", ", ".")
        segments = self._segments(samples, language, gap.join(digits))
        if any(segment.compression_ratio > ENDLESS for segment in segments):
            segments = self._segments(samples, language, mark.join(digits) + end)
        return digits_said("".join(segment.text for segment in segments), language)

    def _segments(self, samples: AnySamples, language: Language, hint: str | None) -> list[Any]:
        heard = resample(samples.astype(np.float32), TELEPHONE_RATE, _RATE)
        padded = np.pad(heard, (round(0.2 * _RATE), round(0.4 * _RATE)))
        with warnings.catch_warnings():
            # The recogniser's own arithmetic on silence warns.
            warnings.simplefilter("ignore")
            segments, _ = self.model.transcribe(
                padded,
                language=language.value,
                beam_size=5,
                temperature=0,
                condition_on_previous_text=False,
                initial_prompt=hint,
            )
            return list(segments)


def digits_said(text: str, language: Language) -> str:
    """Digits whose sounds are in what was heard, however it is written: 吧 (ba) is 8, "for" is 4.

    Which of the words that sound the same is written the recogniser guesses from what people write about; no
    sound of a digit can tell it. So the text around a code must have no such word.
    """
    if language is Language.CHINESE:
        values = {syllable: str(value) for value, syllable in enumerate(DIGIT_SYLLABLES)}
        return "".join(values.get(syllable, "") for syllable in syllables(text.replace("〇", "零")))
    return digits_in(re.sub(r"[a-z]+", lambda word: SOUNDS_ALIKE.get(word[0], word[0]), text.lower()))


def digits_in(text: str) -> str:
    """Digits of a text in which they may be words."""
    for value, word in enumerate(ENGLISH_DIGITS):
        text = re.sub(rf"\b{word}\b", str(value), text, flags=re.IGNORECASE)
    for value, word in enumerate(CHINESE_DIGITS):
        text = text.replace(word, str(value))
    return "".join(re.findall(r"[0-9]", text.replace("〇", "0")))


def characters(text: str) -> list[str]:
    """The Chinese characters of a text, digits among them."""
    return re.findall(r"[\u4e00-\u9fff]", "".join(CHINESE_DIGITS[int(c)] if c.isdigit() else c for c in text))


def syllables(text: str) -> list[str]:
    """Its syllables in pinyin without tones: what can be heard of it."""
    pypinyin = load("pypinyin")
    return list(pypinyin.lazy_pinyin("".join(characters(text)), style=pypinyin.Style.NORMAL))


def tones(text: str) -> list[str]:
    """Its syllables with tones; which of several characters that sound the same is written doesn't matter."""
    pypinyin = load("pypinyin")
    return list(pypinyin.lazy_pinyin("".join(characters(text)), style=pypinyin.Style.TONE3))


def edits(heard: list[str], said: list[str]) -> int:
    """How many insertions, deletions and substitutions lie between two sequences (Levenshtein)."""
    row = list(range(len(said) + 1))
    for line, item in enumerate(heard, 1):
        previous, row[0] = row[0], line
        for column, other in enumerate(said, 1):
            previous, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, previous + (item != other)),
            )
    return row[-1]


def share_understood(said: str, heard: str) -> float:
    """How much of a Chinese text (0 to 1) was understood: its syllables, whatever their tones."""
    wanted = syllables(said)
    return max(0.0, 1 - edits(syllables(heard), wanted) / len(wanted))

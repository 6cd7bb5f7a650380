"""Listens to what a phone would hear, with a small speech recogniser."""

from __future__ import annotations

import os
import random
import re
import warnings
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from controller.prompts import alaw
from controller.prompts.reading.passage import Language
from controller.prompts.resample import resample, to_float

ROOT = Path(__file__).parents[2]
LISTENING_MODEL = Path(os.environ.get("VOICECALL_LISTENING_MODEL", ROOT / ".cache" / "listening-model"))
SPEECH_MODEL = Path(os.environ.get("VOICECALL_SPEECH_MODEL", ROOT / ".cache" / "speech-models"))

CHINESE_DIGITS = "零一二三四五六七八九"
ENGLISH_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_RATE = 16000


@dataclass
class Ear:
    """A recogniser; hears A-law, answers with text."""

    model: Any

    def hear(self, sound: bytes, language: Language, hint: str | None = None) -> str:
        """What is said in A-law bytes of 8 kHz."""
        samples = resample(to_float(alaw.decode(sound)), 8000, _RATE)
        padded = np.pad(samples, (round(0.2 * _RATE), round(0.4 * _RATE)))
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
            return "".join(segment.text for segment in segments)

    def hear_digits(self, sound: bytes, language: Language) -> str:
        """The digits that are said, and nothing else."""
        hint = CHINESE_DIGITS if language is Language.CHINESE else " ".join(ENGLISH_DIGITS)
        return digits_in(self.hear(sound, language, hint))


def codes(count: int, seed: int) -> list[str]:
    """Six-digit codes without a digit twice in a row: the recogniser writes most doubled syllables once."""
    source = random.Random(seed)
    made: list[str] = []
    while len(made) < count:
        code = "".join(source.choices("0123456789", k=6))
        if all(left != right for left, right in pairwise(code)):
            made.append(code)
    return made


def digits_in(text: str) -> str:
    """Digits of a text in which they may be words."""
    for value, word in enumerate(ENGLISH_DIGITS):
        text = re.sub(rf"\b{word}\b", str(value), text, flags=re.IGNORECASE)
    for value, word in enumerate(CHINESE_DIGITS):
        text = text.replace(word, str(value))
    return "".join(re.findall(r"[0-9]", text.replace("〇", "0")))


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

"""What is said to the ear, and how wrong its answer is."""

from __future__ import annotations

import random
import re
from itertools import pairwise

from controller.prompts.optional import load
from testbed.ear import CHINESE_DIGITS


def codes(count: int, seed: int) -> list[str]:
    """Six-digit codes without a digit twice in a row: the recogniser writes most doubled syllables once."""
    source = random.Random(seed)
    made: list[str] = []
    while len(made) < count:
        code = "".join(source.choices("0123456789", k=6))
        if all(left != right for left, right in pairwise(code)):
            made.append(code)
    return made


def characters(text: str) -> list[str]:
    """The Chinese characters of a text, digits among them."""
    return re.findall(r"[\u4e00-\u9fff]", "".join(CHINESE_DIGITS[int(c)] if c.isdigit() else c for c in text))


def syllables(text: str) -> list[str]:
    """Its syllables in pinyin without tones: what can be heard of it."""
    pypinyin = load("pypinyin")
    return list(pypinyin.lazy_pinyin("".join(characters(text)), style=pypinyin.Style.NORMAL))


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

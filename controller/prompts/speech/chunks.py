"""Cutting phonetic symbols into calls that the model says well."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_TOKENS: Final = 120
"""Above this the model starts to swallow words."""

_AFTER_MARK: Final = re.compile(r"(?<=[;:,.!?—…])\s+")
_PAUSES: Final = {",": 0.16, ";": 0.25, ":": 0.2, "—": 0.2, ".": 0.35, "!": 0.35, "?": 0.35, "…": 0.35}


@dataclass(frozen=True, slots=True)
class Chunk:
    """Symbols for one call of the model, and the seconds of silence that belong after it."""

    phonemes: str
    pause: float


def chunks(phonemes: str, most: int = MAX_TOKENS) -> list[Chunk]:
    """Pieces of at most ``most`` symbols, cut after marks, else between words, else anywhere."""
    pieces: list[str] = []
    for clause in _AFTER_MARK.split(phonemes.strip()):
        for piece in _fitting(clause, most):
            if pieces and len(pieces[-1]) + 1 + len(piece) <= most:
                pieces[-1] += " " + piece
            elif piece:
                pieces.append(piece)
    return [Chunk(piece, _PAUSES.get(piece[-1], 0.05)) for piece in pieces]


def _fitting(clause: str, most: int) -> list[str]:
    if len(clause) <= most:
        return [clause]
    lines: list[str] = []
    for word in clause.split(" "):
        for start in range(0, len(word), most):
            part = word[start : start + most]
            if lines and start == 0 and len(lines[-1]) + 1 + len(part) <= most:
                lines[-1] += " " + part
            else:
                lines.append(part)
    return lines

"""Texts of templates taken apart for the eye: what is said as it stands, and variables."""

import re
from dataclasses import dataclass
from typing import Final

_VARIABLE: Final = re.compile(r"(\$\{[^{}]*\})")


@dataclass(frozen=True)
class Part:
    """A piece of a text."""

    text: str
    is_variable: bool


def parts_of(text: str) -> list[Part]:
    """The pieces, in their order."""
    return [Part(piece, place % 2 == 1) for place, piece in enumerate(_VARIABLE.split(text)) if piece]

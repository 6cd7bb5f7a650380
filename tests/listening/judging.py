"""What is said to the ear."""

from __future__ import annotations

import random
from itertools import pairwise


def codes(count: int, seed: int) -> list[str]:
    """Six-digit codes without a digit twice in a row: the recogniser writes most doubled syllables once."""
    source = random.Random(seed)
    made: list[str] = []
    while len(made) < count:
        code = "".join(source.choices("0123456789", k=6))
        if all(left != right for left, right in pairwise(code)):
            made.append(code)
    return made

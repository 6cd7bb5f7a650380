"""Sentences that are shown in more than one language: English is what stands in the code, and a message's id.

Whoever makes a sentence is given a `Say`, which knows the language of the one who reads it.
"""

import re
from collections.abc import Callable

Say = Callable[[str], str]
"""A message in the reader's language."""


def english(message: str) -> str:
    """A message as it stands in the code."""
    return message


def N_(message: str) -> str:  # noqa: N802 - gettext's name
    """Marks a message that is translated where it is shown."""
    return message


_BETWEEN_CHINESE = re.compile(r"(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])")


def spaced(sentence: str) -> str:
    """A sentence without spaces between Chinese characters: what is put into it may be either."""
    return _BETWEEN_CHINESE.sub("", sentence)

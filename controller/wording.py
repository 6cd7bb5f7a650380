"""Sentences that are shown in more than one language: English is what stands in the code, and a message's id.

Whoever makes a sentence is given a `Say`, which knows the language of the one who reads it.
"""

from collections.abc import Callable

Say = Callable[[str], str]
"""A message in the reader's language."""


def english(message: str) -> str:
    """A message as it stands in the code."""
    return message


def N_(message: str) -> str:  # noqa: N802 - gettext's name
    """Marks a message that is translated where it is shown."""
    return message

"""The words that reading rules and speech engines share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """A language that texts are read in."""

    CHINESE = "zh"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence ready for a speech engine: its digits, dates and signs are words already.

    A Chinese passage may have Latin words in it.
    """

    text: str
    language: Language

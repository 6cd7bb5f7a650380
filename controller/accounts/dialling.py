"""A4.3: which numbers may be dialled. Pure."""

from collections.abc import Iterable
from enum import StrEnum

from controller.phone_number import PhoneNumber
from controller.rules.patterns import NumberPattern, NumberSet, country_code


class Verdict(StrEnum):
    """Whether a number may be dialled."""

    ALLOWED = "allowed"
    ABROAD = "abroad"
    """In a country of which the allowed patterns don't speak."""
    NOT_ALLOWED = "not allowed"


class DiallingPolicy:
    """Patterns of what is allowed and of what is forbidden, which wins. Raises ValueError."""

    def __init__(self, allowed: Iterable[str], forbidden: Iterable[str] = ()) -> None:
        allowed = list(allowed)
        self._patterns = [NumberPattern(text) for text in allowed]
        self._allowed = NumberSet(allowed)
        self._forbidden = NumberSet(forbidden)

    def judge(self, number: PhoneNumber) -> Verdict:
        """Whether `number` may be dialled."""
        if number.e164 in self._allowed and number.e164 not in self._forbidden:
            return Verdict.ALLOWED
        return Verdict.NOT_ALLOWED if self.speaks_of(country_code(number.e164)) else Verdict.ABROAD

    def speaks_of(self, digits: str) -> bool:
        """Whether numbers that begin with these digits, after the plus sign, can be allowed."""
        return any(pattern.can_begin(digits) for pattern in self._patterns)

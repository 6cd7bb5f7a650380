"""A4.3: which numbers may be dialled. Pure."""

from collections.abc import Collection, Iterable
from enum import StrEnum

from controller.phone_number import PhoneNumber
from controller.rules.number_classes import NumberClass
from controller.rules.patterns import NumberPattern, NumberSet, country_code


class Verdict(StrEnum):
    """Whether a number may be dialled."""

    ALLOWED = "allowed"
    ABROAD = "abroad"
    """In a country of which the allowed patterns don't speak."""
    NOT_ALLOWED = "not allowed"


class DiallingPolicy:
    """Patterns of what is allowed and of what is forbidden, which wins; and classes. Raises ValueError."""

    def __init__(
        self,
        allowed: Iterable[str],
        forbidden: Iterable[str] = (),
        *,
        classes: Collection[NumberClass] = tuple(NumberClass),
        premium: Iterable[str] = (),
        toll_fraud: Iterable[str] = (),
    ) -> None:
        allowed = list(allowed)
        self._patterns = [NumberPattern(text) for text in allowed]
        self._allowed = NumberSet(allowed)
        self._forbidden = NumberSet(forbidden)
        self._classes = frozenset(classes)
        self._by_class = {
            NumberClass.TOLL_FRAUD: NumberSet(toll_fraud),
            NumberClass.PREMIUM: NumberSet(premium),
        }

    def judge(self, number: PhoneNumber, classes: Collection[NumberClass] | None = None) -> Verdict:
        """Whether `number` may be dialled by somebody who has these classes; None: the operator's."""
        if number.e164 in self._allowed and number.e164 not in self._forbidden:
            its = self.class_of(number)
            if its in self._classes and (classes is None or its in classes):
                return Verdict.ALLOWED
            return Verdict.NOT_ALLOWED
        return Verdict.NOT_ALLOWED if self.speaks_of(country_code(number.e164)) else Verdict.ABROAD

    def class_of(self, number: PhoneNumber) -> NumberClass:
        """How risky it is to call this number."""
        found = (each for each, numbers in self._by_class.items() if number.e164 in numbers)
        return next(found, NumberClass.LOW)

    def speaks_of(self, digits: str) -> bool:
        """Whether numbers that begin with these digits, after the plus sign, can be allowed."""
        return any(pattern.can_begin(digits) for pattern in self._patterns)

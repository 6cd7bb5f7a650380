"""Number patterns in the language of Asterisk's dialplan, which operators know.

`X` is any digit, `Z` is 1-9, `N` is 2-9, `[13-5]` is one of these digits. At the end `.` is one digit or
more, `!` is any number of digits, also none. Numbers are E.164: a pattern begins with `+`. As in the
dialplan, a `_` in front and any `-` between digits are for the eye only; a number is a pattern too.
Source: Asterisk documentation, "Pattern Matching".
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_ANY = "0123456789"
_CLASSES = {"X": _ANY, "Z": "123456789", "N": "23456789"}
_ENDINGS = {"": "", ".": "[0-9]+", "!": "[0-9]*"}
_SET = re.compile(r"\[([0-9-]+)\]")
_RANGE = re.compile(r"([0-9])-([0-9])|([0-9])")

_ONE_DIGIT = frozenset("17")
_TWO_DIGITS = re.compile("2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]")
"""Country codes of one and two digits; all others have three. Source: ITU-T E.164, list of assigned codes."""


def country_code(number: str) -> str:
    """The country code of an E.164 number, without its plus sign."""
    digits = number.removeprefix("+")
    if digits[0] in _ONE_DIGIT:
        return digits[0]
    return digits[:2] if _TWO_DIGITS.match(digits) else digits[:3]


@dataclass(frozen=True)
class NumberPattern:
    """A pattern such as `+861[3-9]XXXXXXXXX`. Raises ValueError that names what is wrong with it."""

    text: str
    places: tuple[str, ...] = field(init=False, repr=False)
    """The digits that each place takes."""
    ending: str = field(init=False, repr=False)
    """`.`, `!` or nothing."""

    def __post_init__(self) -> None:
        places, ending = _parse(self.text)
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "ending", ending)

    @property
    def number(self) -> str | None:
        """The one number that the pattern takes, if it is only one."""
        if self.ending or any(len(place) != 1 for place in self.places):
            return None
        return "+" + "".join(self.places)

    @property
    def expression(self) -> str:
        """A regular expression for whole numbers."""
        return r"\+" + "".join(f"[{place}]" for place in self.places) + _ENDINGS[self.ending]

    def can_begin(self, digits: str) -> bool:
        """Whether it takes numbers that begin with these digits, which stand after the plus sign."""
        if len(digits) > len(self.places) and not self.ending:
            return False
        return all(digit in place for digit, place in zip(digits, self.places, strict=False))


def check_pattern(text: str) -> str:
    """`text` itself, if it is a number pattern. Raises ValueError."""
    NumberPattern(text)
    return text


class NumberSet:
    """The numbers that one pattern at least takes; many single numbers cost no more than one."""

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        made = [NumberPattern(text) for text in patterns]
        self._numbers = frozenset(number for pattern in made if (number := pattern.number) is not None)
        expressions = [pattern.expression for pattern in made if pattern.number is None]
        self._expression = re.compile("|".join(expressions)) if expressions else None

    def __contains__(self, number: str) -> bool:
        if number in self._numbers:
            return True
        return self._expression is not None and self._expression.fullmatch(number) is not None

    def __bool__(self) -> bool:
        return bool(self._numbers) or self._expression is not None


def _parse(text: str) -> tuple[tuple[str, ...], str]:
    """(the digits that each place takes, the ending). Raises ValueError."""

    def wrong(reason: str) -> ValueError:
        return ValueError(f"number pattern {text!r}: {reason}")

    rest = text.removeprefix("_")
    if not rest.startswith("+"):
        raise wrong("it must begin with + and a country code, as in +86.")
    rest = rest[1:]
    places: list[str] = []
    while rest and rest[0] not in ".!":
        sign = rest[0].upper()
        if sign == "[":
            found = _SET.match(rest)
            if found is None:
                raise wrong("a set is digits and ranges in brackets, as in [13-5]")
            places.append(_digits(found[1], wrong("a range in brackets goes up, as in [3-5]")))
            rest = rest[found.end() :]
            continue
        if sign in _CLASSES or sign in _ANY:
            places.append(_CLASSES.get(sign, sign))
        elif sign != "-":
            raise wrong(f"{rest[0]!r} is none of 0-9, X, Z, N, [...], . and !")
        rest = rest[1:]
    if rest[1:]:
        raise wrong(f"nothing can stand after {rest[0]}")
    if not places and not rest:
        raise wrong("it has no digits")
    return tuple(places), rest


def _digits(text: str, wrong: ValueError) -> str:
    """The digits of a set such as `13-5`."""
    digits: set[str] = set()
    position = 0
    while position < len(text):
        found = _RANGE.match(text, position)
        if found is None or (found[1] and found[1] > found[2]):
            raise wrong
        digits.update(found[3] or (str(digit) for digit in range(int(found[1]), int(found[2]) + 1)))
        position = found.end()
    return "".join(sorted(digits))

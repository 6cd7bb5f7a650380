"""Telephone numbers as a type: E.164 with its plus sign, checked on entry, masked when printed."""

import re
from dataclasses import dataclass

_E164 = re.compile(r"\+[1-9][0-9]{2,29}")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,9}")
_TRUNK_PREFIX_ZERO = re.compile(r"\+860")
_COUNTRY = re.compile(
    r"\+(?P<code>[17]|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|[1-9][0-9]{2})(?P<national>[0-9]+)"
)
"""Country codes have one digit, or two, or else three (ITU-T E.164, list of assigned codes)."""
_NORTH_AMERICAN = re.compile(r"([0-9]{3})([0-9]{3})([0-9]{4})")


@dataclass(frozen=True, slots=True, order=True)
class PhoneNumber:
    """A number such as +8613900001111; `str()` masks it, `.e164` is the number itself."""

    e164: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.e164):
            raise ValueError("The number format is incorrect.")
        if _TRUNK_PREFIX_ZERO.match(self.e164):
            raise ValueError("The number format is incorrect.")

    @property
    def digits(self) -> str:
        """The number without its plus sign."""
        return self.e164[1:]

    def __str__(self) -> str:
        return mask(self.e164)

    def __repr__(self) -> str:
        return f"PhoneNumber({self})"


def check_prefix(text: str) -> str:
    """`text` itself, if numbers can begin with it. Raises ValueError."""
    if not _PREFIX.fullmatch(text):
        raise ValueError(f"{text!r} is not the start of a number such as +999")
    return text


def mask(number: str) -> str:
    """A number for people who must not know it: `+86139****1111`."""
    if len(number) <= 7:
        return "*" * len(number)
    return f"{number[: len(number) - 8]}****{number[-4:]}"


def grouped(number: str, separator: str = "\u2009") -> str:
    """A number for people to read: the country code, then fours from the end, as in +86 571 2688 0001.

    What is no number in E.164's form stays as it is.
    """
    found = _COUNTRY.fullmatch(number)
    if found is None:
        return number
    code, national = found["code"], found["national"]
    its_own = _NORTH_AMERICAN.fullmatch(national) if code == "1" else None
    if its_own is not None:
        return separator.join((f"+{code}", *its_own.groups()))
    head = len(national) % 4
    groups = [national[at : at + 4] for at in range(head, len(national), 4)]
    if head == 1 and groups:
        # A digit alone reads as one that is missing.
        groups[0] = national[:1] + groups[0]
    elif head:
        groups.insert(0, national[:head])
    return separator.join((f"+{code}", *groups))

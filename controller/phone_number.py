"""Telephone numbers as a type: E.164 with its plus sign, checked on entry, masked when printed."""

import re
from dataclasses import dataclass

_E164 = re.compile(r"\+[1-9][0-9]{2,29}")
_PREFIX = re.compile(r"\+[1-9][0-9]{0,9}")
_TRUNK_PREFIX_ZERO = re.compile(r"\+860")


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

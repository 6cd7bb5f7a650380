"""Digit collection as a pure state machine: keys and times in, a new state out.

Times are seconds on any clock that only goes forward; the caller has the clock and does the waiting.
"""

from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Collection:
    """Collecting `wanted` digits.

    `deadline` is when waiting ends if no key comes; None while the prompt plays and no key was pressed.
    """

    wanted: int
    first_digit_timeout: float
    inter_digit_timeout: float
    digits: str = ""
    deadline: float | None = None

    @property
    def complete(self) -> bool:
        """All digits are there."""
        return len(self.digits) >= self.wanted

    @property
    def started(self) -> bool:
        """A key was pressed: the prompt must stop."""
        return bool(self.digits)

    def pressed(self, digit: str, at: float) -> Self:
        """A key was pressed, during the prompt or after it. Keys beyond the wanted ones are dropped."""
        if self.complete:
            return self
        return replace(self, digits=self.digits + digit, deadline=at + self.inter_digit_timeout)

    def prompt_ended(self, at: float) -> Self:
        """The prompt is over (or was stopped); from here the first key is waited for."""
        if self.started:
            return self
        return replace(self, deadline=at + self.first_digit_timeout)


@dataclass(frozen=True)
class ReplayRule:
    """Whether an item is played again after its digits: on exactly `trigger`, or on any if it is None."""

    enabled: bool = False
    trigger: str | None = None

    def demands_replay(self, digits: str) -> bool:
        return self.enabled and bool(digits) and (self.trigger is None or digits == self.trigger)


NO_REPLAY = ReplayRule()

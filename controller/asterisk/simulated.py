"""Simulated callees: numbers below a reserved prefix whose digits say what the callee does.

Behind the prefix stands `CCC RR TTT K...`: Q.850 cause (016 answers), seconds of ringing, seconds of talking,
keys to press. Asterisk's context `simulated` (dialplan/simulated.conf) plays the callee;
docs/reference/simulated-numbers.md has an example of every outcome.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from controller.phone_number import PhoneNumber

ANSWERS = 16
"""The cause of a callee that answers: Q.850's "normal call clearing"."""

LISTENER = "Local/01600010@simulated/n"
"""Who answers, listens to whatever is played and hangs up after ten seconds."""

_SHORTEST = len("CCCRRTTT")
_HIGHEST_CAUSE = 127

_SIP_STATUS = {
    1: 404,
    2: 404,
    3: 404,
    17: 486,
    18: 480,
    19: 480,
    20: 480,
    21: 603,
    22: 410,
    26: 404,
    27: 502,
    28: 484,
    29: 501,
    31: 480,
    34: 503,
    38: 500,
    41: 500,
    42: 503,
    47: 503,
    55: 403,
    57: 403,
    58: 503,
    65: 488,
    70: 488,
    79: 501,
    87: 403,
    88: 503,
    102: 504,
    111: 500,
    127: 500,
}


class Before(StrEnum):
    """What a caller hears of a callee that doesn't answer."""

    RINGING = "ringing"
    ANNOUNCEMENT = "announcement"
    """Early media: the network plays something."""
    SILENCE = "silence"


_BEFORE = {0: Before.RINGING, 1: Before.ANNOUNCEMENT, 2: Before.SILENCE}


@dataclass(frozen=True, slots=True)
class SimulatedCallee:
    """What a simulated callee does. Times are in seconds."""

    cause: int
    """Of Q.850."""
    ring: int
    talk: int
    """From the answer until the callee hangs up; 0 leaves that to the other side."""
    keys: str
    before: Before = Before.RINGING

    @property
    def answers(self) -> bool:
        return self.cause == ANSWERS

    @classmethod
    def of(cls, number: PhoneNumber, prefix: str) -> Self:
        """The callee that a number describes. Raises ValueError, which names the part that is wrong."""
        text = _described(number, prefix)
        if len(text) < _SHORTEST:
            raise ValueError(
                f"a simulated number is {prefix} CCC RR TTT and keys: {_SHORTEST} digits or more after the "
                f"prefix, not {len(text)}"
            )
        cause, ring, third, keys = int(text[:3]), int(text[3:5]), int(text[5:8]), text[8:]
        if not 1 <= cause <= _HIGHEST_CAUSE:
            raise ValueError(f"cause {text[:3]} of a simulated number is not in 001 to {_HIGHEST_CAUSE}")
        if cause == ANSWERS:
            return cls(cause, ring, third, keys)
        if third not in _BEFORE:
            raise ValueError(
                f"a simulated callee that doesn't answer can't talk for {text[5:8]} seconds: "
                "give 000 (rings), 001 (announcement) or 002 (silence)"
            )
        return cls(cause, ring, 0, "", _BEFORE[third])


def is_simulated(number: PhoneNumber, prefix: str) -> bool:
    """Whether a number is below the reserved prefix, well-formed or not."""
    return number.e164.startswith(prefix)


def absent(seconds: int = 1) -> str:
    """What Asterisk dials for a phone that is switched off: it says so, after a while of silence."""
    return f"Local/020{seconds:02}002@simulated/n"


def dial_string(number: PhoneNumber, prefix: str) -> str:
    """What Asterisk dials to reach a simulated callee. Raises ValueError when the number is malformed."""
    SimulatedCallee.of(number, prefix)
    # Without /n the two halves would be optimised away, and the callee's dialplan with them.
    return f"Local/{_described(number, prefix)}@simulated/n"


def sip_status(cause: int) -> int:
    """The SIP status with which a carrier says this Q.850 cause.

    The table is that of RFC 3398 but for 18, 21, 38 and 41, where carriers commonly send another one.
    """
    return _SIP_STATUS.get(cause, 500)


def _described(number: PhoneNumber, prefix: str) -> str:
    if not is_simulated(number, prefix):
        raise ValueError(f"{number} is not a simulated number, as it doesn't begin with {prefix}")
    return number.e164[len(prefix) :]

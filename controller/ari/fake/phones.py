"""What a called phone does, written down beforehand; and how Asterisk puts its answer into causes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a phone does with a call. All times are in seconds; by default it rings and answers at once.

    `ring_after` and `answer_after` count from the dial; None: it never does. With `early_media` it sends
    183 with sound instead of 180. With a `sip_status` or a `cause` of Q.850 it refuses the call when it
    would have answered; of `sip_status` alone Asterisk makes the cause itself. `digits` are (seconds after
    the answer, key); `hang_up_after` counts from the answer, None: it waits for the other side.
    """

    ring_after: float | None = 0.0
    answer_after: float | None = 0.0
    early_media: bool = False
    cause: int | None = None
    sip_status: int | None = None
    digits: tuple[tuple[float, str], ...] = ()
    hang_up_after: float | None = None

    @property
    def refuses(self) -> bool:
        return self.sip_status is not None or self.cause is not None


ANSWERS = Behaviour()
"""Rings and answers at once, then listens until the other side hangs up."""

WAITS = Behaviour(ring_after=None, answer_after=None)
"""Does nothing by itself: for a test that says each step."""

Phones = Callable[[str, Mapping[str, str]], Behaviour]
"""(endpoint dialled, channel variables) -> what the phone does."""

Sounds = Callable[[str], float | None]
"""A medium such as `sound:hello` -> seconds (`math.inf`: until stopped); None: it can't be played."""

_CAUSE_OF_STATUS = {
    401: 21,
    403: 21,
    404: 1,
    407: 21,
    408: 18,
    409: 41,
    410: 22,
    420: 3,
    480: 19,
    483: 19,
    484: 28,
    485: 1,
    486: 17,
    488: 58,
    500: 38,
    501: 29,
    502: 27,
    503: 34,
    504: 102,
    600: 17,
    603: 21,
    604: 1,
    606: 58,
}

_STATUS_OF_CAUSE = {
    1: 404,
    2: 404,
    3: 404,
    17: 486,
    18: 408,
    19: 480,
    20: 480,
    21: 403,
    22: 410,
    27: 502,
    28: 484,
    29: 501,
    31: 480,
    34: 503,
    38: 500,
    42: 503,
    58: 488,
    66: 503,
    127: 500,
}

_CAUSE_TEXTS = {
    0: "Unknown",
    1: "Unallocated (unassigned) number",
    2: "No route to specified transmit network",
    3: "No route to destination",
    16: "Normal Clearing",
    17: "User busy",
    18: "No user responding",
    19: "User alerting, no answer",
    20: "Subscriber absent",
    21: "Call Rejected",
    22: "Number changed",
    23: "Redirected to new destination",
    27: "Destination out of order",
    28: "Invalid number format",
    29: "Facility rejected",
    31: "Normal, unspecified",
    34: "Circuit/channel congestion",
    38: "Network out of order",
    41: "Temporary failure",
    42: "Switching equipment congestion",
    44: "Requested channel not available",
    58: "Bearer capability not available",
    66: "Channel not implemented",
    102: "Recover on timer expiry",
    127: "Interworking, unspecified",
}


def cause_of(sip_status: int) -> int:
    """The cause of Q.850 that Asterisk makes of a final SIP status."""
    if sip_status in _CAUSE_OF_STATUS:
        return _CAUSE_OF_STATUS[sip_status]
    if sip_status < 400:
        return 23
    return 34 if 500 <= sip_status < 600 else 127


def sip_status_of(cause: int) -> int:
    """The SIP status with which Asterisk itself ends a call for that cause; 0: none, an ordinary BYE."""
    return _STATUS_OF_CAUSE.get(cause, 0)


def cause_text(cause: int) -> str:
    """A cause in Asterisk's words."""
    return _CAUSE_TEXTS.get(cause, "Unknown")

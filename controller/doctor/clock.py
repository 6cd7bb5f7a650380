"""This machine's clock: requests are refused when it is off, and CDRs are money.

Asterisk's clock is this very one when it is on this machine. What can find a wrong clock all the same: the
kernel, which knows whether a time service keeps it, and any web server elsewhere, as they all tell the time.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from controller.doctor.finding import Finding, fault, http_client, ok, warning
from controller.store import server_clock

TOLERANCE = 5.0
"""Seconds between two clocks."""

_TIME_ERROR, _STA_UNSYNC = 5, 0x40
"""adjtimex(2)."""

_KEEP_IT = "run a time service (NTP), such as chrony or systemd-timesyncd"


@dataclass(frozen=True)
class KernelClock:
    """What the kernel knows of its clock."""

    is_kept: bool
    """A time service has set it and goes on doing so."""
    error: float
    """How far it may be off, in seconds; means nothing while it isn't kept."""


class _Timex(ctypes.Structure):
    """`struct timex` of adjtimex(2), as far as it is read here."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def kernel_clock() -> KernelClock | None:
    """None: the kernel can't be asked."""
    timex = _Timex()
    try:
        # modes = 0: nothing is set, so no right is needed.
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if state < 0:
        return None
    return KernelClock(state != _TIME_ERROR and not timex.status & _STA_UNSYNC, timex.maxerror / 1e6)


def kept_clock(kernel: KernelClock | None) -> Finding:
    """A time service keeps this clock near the true time."""
    name = "time service"
    if kernel is None:
        return warning(name, "the kernel doesn't say whether one keeps this clock", _KEEP_IT)
    if not kernel.is_kept:
        return warning(name, "none keeps this clock, which drifts by seconds a day", _KEEP_IT)
    if kernel.error > TOLERANCE:
        return fault(name, f"keeps this clock within {kernel.error:.0f} s only", "look at its log")
    return ok(name, f"keeps this clock within {kernel.error:.2f} s")


def agreement(date_header: str | None, now: datetime, whose: str) -> Finding:
    """This clock and another one, by the Date of its HTTP answer, agree."""
    name = "clock"
    try:
        theirs = parsedate_to_datetime(date_header or "")
    except ValueError:
        return warning(name, f"{whose} does not tell the time", "compare the clocks by hand")
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    difference = (now - theirs).total_seconds()
    if abs(difference) > TOLERANCE:
        direction = "ahead of" if difference > 0 else "behind"
        return fault(
            name, f"this clock is {abs(difference):.0f} s {direction} {whose}'s", f"{_KEEP_IT}, on both"
        )
    return ok(name, f"agrees with {whose}'s")


def databases(ahead: float) -> Finding:
    """This clock and the database server's agree; `ahead`: by how many seconds this one is."""
    name = "database's clock"
    if abs(ahead) > server_clock.TOLERANCE:
        direction = "ahead of" if ahead > 0 else "behind"
        text = f"this clock is {abs(ahead):.1f} s {direction} it: limits of calls per second are not exact"
        return warning(name, text, f"{_KEEP_IT}, on both")
    return ok(name, f"agrees with this one within {abs(ahead):.2f} s")


async def outside(url: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Finding:
    """This clock agrees with that of a web server elsewhere."""
    try:
        async with http_client() as http, http.head(url, allow_redirects=False) as answer:
            return agreement(answer.headers.get("Date"), now(), url)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = str(error) or "no answer in time"
        return warning("clock", f"{url} can't be asked for the time: {reason}", "name another web server")

"""Guessing passwords is slow: addresses and logins with too many wrong ones are locked for a while."""

import math
from datetime import timedelta

from controller.api.wire.authentication import Lockout
from controller.clock import Clock

_LOGIN_TIMES = 4
"""A login is locked after more failures than an address: else anybody could lock anybody out at once."""


class Throttle:
    """Counts wrong passwords by address and, from wherever they come, by login."""

    def __init__(self, clock: Clock, after: int, locked: timedelta) -> None:
        self._clock = clock
        self._locked = locked
        self._addresses = Lockout(after, locked, locked)
        self._logins = Lockout(after * _LOGIN_TIMES, locked, locked)

    def wait(self, address: str, login: str) -> int:
        """Seconds until it may be tried again, at the longest; 0: now."""
        now = self._clock.now()
        if self._addresses.is_locked(address, now) or self._logins.is_locked(_key(login), now):
            return math.ceil(self._locked.total_seconds())
        return 0

    def failed(self, address: str, login: str) -> None:
        """A password was wrong."""
        now = self._clock.now()
        self._addresses.failed(address, now)
        self._logins.failed(_key(login), now)


def _key(login: str) -> str:
    return f"login {login}"

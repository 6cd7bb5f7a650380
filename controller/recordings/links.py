"""Links that open one recording for a while, without a login."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta

from controller.clock import Clock

_EXPIRES, _SIGNATURE = "expires", "signature"
_LONGEST_NUMBER = 12


class LinkSigner:
    """Signs names with HMAC-SHA256 and tells its own links from others."""

    def __init__(self, key: bytes, clock: Clock, lifetime: timedelta) -> None:
        self._key = key
        self._clock = clock
        self._lifetime = lifetime

    def sign(self, name: str) -> str:
        """A query string that opens `name` for the lifetime."""
        expires = str(int((self._clock.now() + self._lifetime).timestamp()))
        return f"{_EXPIRES}={expires}&{_SIGNATURE}={self._signature(name, expires)}"

    def check(self, name: str, query: Mapping[str, str]) -> bool:
        """Whether this (decoded) query opens `name` now."""
        expires, signature = query.get(_EXPIRES, ""), query.get(_SIGNATURE, "")
        expected = self._signature(name, expires)
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            return False
        if len(expires) > _LONGEST_NUMBER or not (expires.isascii() and expires.isdigit()):
            return False
        return self._clock.now().timestamp() < int(expires)

    def _signature(self, name: str, expires: str) -> str:
        # An expiry has no line break in it when it is ours, so no two pairs make the same message.
        message = f"recording\n{expires}\n{name}".encode(errors="replace")
        return hmac.new(self._key, message, hashlib.sha256).hexdigest()

"""Links that open one recording for a while, without a login."""

import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from controller.clock import Clock
from controller.recordings.errors import LinkKeyUnusable

KEY_BYTES: Final = 32

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


def load_or_make_key(path: Path) -> bytes:
    """The key in this file; made, with mode 0600, if there is none. Raises LinkKeyUnusable."""
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_bytes()
    except OSError as error:
        raise LinkKeyUnusable(f"{path}: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise LinkKeyUnusable(f"{path} must hold {KEY_BYTES} bytes; remove it to have a new one made")
    return key


def _make_key(path: Path) -> None:
    """Complete at once, or not at all; one made by another process meanwhile is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)

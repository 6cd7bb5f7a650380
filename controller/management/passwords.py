"""Passwords, and the random texts that stand for a user: sessions and tokens. Only digests are kept."""

import asyncio
import hashlib
import hmac
import os
import secrets
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

T = TypeVar("T")
TOKEN_PREFIX: Final = "vct_"  # noqa: S105 - a prefix

# Each needs 64 MiB: a burst of logins must not need a gigabyte.
_PARALLEL: Final = 2
_MOST_WAITING: Final = 32
"""Passwords that are looked at or wait for it."""
_NICENESS: Final = 10
"""Each keeps several processors busy for a while: calls come first."""


class TooManyAtOnce(Exception):
    """So many passwords wait to be looked at that this one would wait for too long."""


class Passwords:
    """Argon2id, in threads; `hasher` says at what costs."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._nobodys = _nobodys(self._hasher)
        self._turn = asyncio.Semaphore(_PARALLEL)
        self._waiting = 0
        # Argon2's own threads are as nice as the one that starts them.
        self._threads = ThreadPoolExecutor(_PARALLEL, "passwords", os.nice, (_NICENESS,))

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        async with self._turn:
            return await self._run(self._hasher.hash, password)

    async def matches(
        self, kept: str | None, password: str, check: Callable[[], None] = lambda: None
    ) -> bool:
        """Whether it is the password; `kept` is None for an unknown login, which takes as long.

        `check` raises if it shall not be looked at any more when its turn has come: of many that are tried at
        once those before it may have been wrong. Raises TooManyAtOnce.
        """
        if self._waiting >= _MOST_WAITING:
            raise TooManyAtOnce
        self._waiting += 1
        try:
            async with self._turn:
                check()
                right = await self._run(self._is_right, kept or self._nobodys, password)
        finally:
            self._waiting -= 1
        return right and kept is not None

    async def _run(self, work: Callable[..., T], *values: str) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *values)

    def _is_right(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def _nobodys(hasher: PasswordHasher) -> str:
    """What is compared with for an unknown login: it has the same costs, and a digest that nothing has."""
    salt, made = (
        b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (hasher.salt_len, hasher.hash_len)
    )
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${made}"


def new_password() -> str:
    """One for a person to copy."""
    return secrets.token_urlsafe(15)


def new_token() -> str:
    """An API token; its beginning lets scanners for leaked secrets know it."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_session() -> str:
    """What a session's cookie holds."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is kept of a token or session."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def csrf_token(session: str) -> str:
    """What changes made with this session must show; follows from it, so that it need not be kept."""
    return hmac.digest(session.encode(), b"csrf", "sha256").hex()


def same(expected: str, given: str) -> bool:
    """Comparison in constant time."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))

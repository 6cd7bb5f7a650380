"""The password digests of both header schemes."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from controller.keyed_digest import hmac_sha256


def aksk_digest(secret: str, nonce: str, created: str) -> str:
    """Base64 of HMAC-SHA256 with the secret as key over nonce and created (2.1)."""
    return base64.b64encode(hmac_sha256(secret.encode(), (nonce + created).encode())).decode()


def wsse_digests(secret: str, nonce: str, created: str) -> tuple[str, str]:
    """Base64 of SHA-256 over nonce, created and secret: of its bytes and of its hex text (2.3).

    Clients of both kinds are in the field.
    """
    digest = hashlib.sha256((nonce + created + secret).encode()).digest()
    return base64.b64encode(digest).decode(), base64.b64encode(digest.hex().encode()).decode()


def matches(expected: str, given: str) -> bool:
    """Comparison in constant time, also of what is no text."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def matches_one(expected: Iterable[str], given: str) -> bool:
    """Whether it is one of several; the time taken does not tell which."""
    return sum(matches(each, given) for each in expected) > 0

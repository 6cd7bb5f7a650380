"""HMAC-SHA256 with keys that are used again and again."""

import hmac
from functools import lru_cache


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """The digest of `text` under `key`, 32 bytes."""
    mac = _begun(key).copy()
    mac.update(text)
    return mac.digest()


@lru_cache(1024)
def _begun(key: bytes) -> hmac.HMAC:
    # OpenSSL looks the algorithm up anew for each digest that is made from nothing.
    return hmac.new(key, digestmod="sha256")

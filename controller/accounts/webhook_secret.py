"""Secrets of Standard Webhooks: `whsec_` and 24 to 64 bytes in Base64."""

import base64
import binascii

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64


def webhook_key(secret: str) -> bytes:
    """The key in a secret. Raises ValueError, which does not quote it."""
    if not secret.startswith(_PREFIX):
        raise ValueError(f"must begin with {_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError(f"must be Base64 after {_PREFIX}") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"must hold {_SHORTEST} to {_LONGEST} bytes, not {len(key)}")
    return key

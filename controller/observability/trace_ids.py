"""The ids of a call's trace: they follow from the call's id, so every controller knows them."""

import hashlib
from functools import lru_cache


@lru_cache(4096)
def trace_id(call_id: str) -> bytes:
    """Of a call; 16 bytes."""
    return hashlib.sha256(b"trace\n" + call_id.encode()).digest()[:16]


@lru_cache(4096)
def span_id(call_id: str, part: str) -> bytes:
    """Of a part of a call; 8 bytes."""
    return hashlib.sha256(f"span\n{call_id}\n{part}".encode()).digest()[:8]

"""Nonces that were used lately."""

from collections import OrderedDict
from datetime import datetime

from controller.store.calls import NonceUse

_NONCES_REMEMBERED = 200_000


class NonceMemory:
    """Nonces seen lately by this process; the oldest are forgotten when there are too many."""

    def __init__(self, capacity: int = _NONCES_REMEMBERED) -> None:
        self._seen: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._capacity = capacity

    def use(self, use: NonceUse, now: datetime) -> bool:
        """Remember a nonce; False if it was used before."""
        while self._seen and (len(self._seen) >= self._capacity or next(iter(self._seen.values())) < now):
            self._seen.popitem(last=False)
        key = (use.app_key, use.nonce)
        if key in self._seen:
            return False
        self._seen[key] = use.expires_at
        return True

"""Nonces that were used lately."""

from controller.store.limits import NonceUse

_NONCES_REMEMBERED = 200_000


class NonceMemory:
    """Nonces seen lately by this process: of the last `capacity` at least the later half.

    Of each only a number of 64 bits is kept, made with a key of this process: at 100 requests a second one
    that is new would be taken for an old one once in thousands of years.
    """

    def __init__(self, capacity: int = _NONCES_REMEMBERED) -> None:
        self._later: set[int] = set()
        self._earlier: set[int] = set()
        self._half = capacity // 2

    def use(self, use: NonceUse) -> bool:
        """Remember a nonce; False if it was used before."""
        mark = hash((use.app_key, use.nonce))
        if mark in self._later or mark in self._earlier:
            return False
        if len(self._later) >= self._half:
            self._later, self._earlier = set(), self._later
        self._later.add(mark)
        return True

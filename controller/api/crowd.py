"""How many connections there may be at a time: each costs a file, of which calls and pushes need some too."""

from collections import Counter
from collections.abc import Callable

from controller.api.wire.authentication.lockout import customer_of

_SOURCES = 4
"""How many sources it takes to fill the place."""


class Crowd:
    """At most `most` connections, and a quarter of that of one source, unless many stand behind it."""

    def __init__(self, most: int, stands_for_many: Callable[[str], bool]) -> None:
        self._most = most
        self._stands_for_many = stands_for_many
        self._present: Counter[str] = Counter()
        self._all = 0

    def enters(self, peer: str) -> bool:
        """Whether there is room for one more from there; then it is there until it leaves."""
        source = customer_of(peer)
        own = self._most if self._stands_for_many(peer) else self._most // _SOURCES
        if self._all >= self._most or self._present[source] >= own:
            return False
        self._all += 1
        self._present[source] += 1
        return True

    def leaves(self, peer: str) -> None:
        """One that had entered is gone."""
        source = customer_of(peer)
        self._all -= 1
        self._present[source] -= 1
        if not self._present[source]:
            del self._present[source]

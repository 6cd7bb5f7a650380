"""How often something may happen: `3/24h` is three times in any 24 hours, `10/30d` ten in 30 days."""

import re
from dataclasses import dataclass
from datetime import timedelta

_WINDOW = re.compile(r"([1-9]\d{0,5})/([1-9]\d{0,3})([hd])", re.ASCII)


@dataclass(frozen=True)
class Window:
    """At most `count` in any stretch of `length`."""

    count: int
    length: timedelta

    def __str__(self) -> str:
        hours = round(self.length / timedelta(hours=1))
        return f"{self.count}/{hours // 24}d" if hours % 24 == 0 and hours > 24 else f"{self.count}/{hours}h"


def window(text: str) -> Window:
    """The window that a text such as `3/24h` means. Raises ValueError."""
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a number of calls in a time, such as 3/24h or 10/30d")
    amount = int(found[2])
    return Window(int(found[1]), timedelta(days=amount) if found[3] == "d" else timedelta(hours=amount))


def check_window(text: str) -> str:
    """`text` itself, if it is a window. Raises ValueError."""
    window(text)
    return text

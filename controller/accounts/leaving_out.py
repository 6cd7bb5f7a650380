"""Taking what is wrong out of a document, so that the rest of it can be looked at."""

from collections.abc import Iterable, Sequence
from typing import Any

_NAMES = ("id", "key", "name", "login", "number", "prefix")


def leave_out(data: dict[str, Any], places: Iterable[Sequence[int | str]]) -> set[str]:
    """Remove the parts at these places; returns the names of what went with them.

    A part is an item of a list; of an account only the field goes, as much else hangs on the account.
    """
    names: set[str] = set()
    for path in sorted({_part(data, place) for place in places}, reverse=True):
        holder = _at(data, path[:-1])
        part = holder[path[-1]]
        names |= (
            {str(part[name]) for name in _NAMES if name in part} if isinstance(part, dict) else {str(part)}
        )
        del holder[path[-1]]
    return names


def _part(data: Any, place: Sequence[int | str]) -> tuple[Any, ...]:
    """The way to what is to go for a fault at this place."""
    path: list[int | str] = []
    for step in place:
        is_there = (
            step in data if isinstance(data, dict) else isinstance(data, list) and isinstance(step, int)
        )
        if not is_there:
            break
        data = data[step]
        path.append(step)
    items = [length for length in range(1, len(path) + 1) if isinstance(path[length - 1], int)]
    length = items[-1] if items else 1
    is_account = length == 2 and path[0] == "accounts"
    if is_account and len(path) > length and path[length] != "id":
        length += 1
    return tuple(path[:length])


def _at(data: Any, path: Sequence[int | str]) -> Any:
    for step in path:
        data = data[step]
    return data

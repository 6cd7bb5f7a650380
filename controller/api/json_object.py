"""Reading JSON that strangers send: strictly, and without what no client of good will has reason to send."""

import json
import re
from typing import Any

_DEEPEST = 16
"""Levels of objects and lists in one another; a request has four."""
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


class NotAnObject(ValueError):
    """The text is no JSON object; the message says what is wrong with it."""


def json_object(raw: bytes) -> dict[str, Any]:
    """The object that these bytes are. Raises NotAnObject."""
    try:
        value = json.loads(raw.decode(), object_pairs_hook=_members, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise NotAnObject("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise NotAnObject("The body is not a JSON object.")
    _check(value)
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _check(value: Any, depth: int = 0) -> None:
    if depth > _DEEPEST:
        raise NotAnObject("The body is nested too deeply.")
    if isinstance(value, dict):
        for name, part in value.items():
            _check_text(name)
            _check(part, depth + 1)
    elif isinstance(value, list):
        for part in value:
            _check(part, depth + 1)
    elif isinstance(value, str):
        _check_text(value)


def _check_text(value: str) -> None:
    # Half of a surrogate pair can't be encoded again, and databases don't take NUL.
    if _NO_TEXT.search(value):
        raise NotAnObject("The body has a character that is none.")

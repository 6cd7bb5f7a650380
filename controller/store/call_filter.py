"""What calls are looked for: by whom, of what, between which numbers, with which end, when."""

import re
from dataclasses import dataclass, field
from datetime import datetime

from controller.store.tables import Service

SHORTEST = 3
"""Characters of a part of a number or session id; fewer are in nearly every call."""

_NUMBER = re.compile(r"\+?[0-9]{1,31}", re.ASCII)
_SPACING = re.compile(r"[\s().\-]")
_SESSION = re.compile(r"[0-9_]{1,128}(@[A-Za-z0-9.-]{0,128})?", re.ASCII)


class FilterError(ValueError):
    """`field` of a filter can't be what it is; the text says why."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True)
class CallFilter:
    """Conditions that a call must meet, all of them. Raises FilterError.

    `session_id`, `caller`, `callee` and `text` are parts; `text` may be in any of the three. The caller is
    the first phone of a callback and else the number shown; the callee is whom the call is for.
    """

    account_id: str | None = None
    app_key: str | None = None
    service: Service | None = None
    results: frozenset[int] = field(default_factory=frozenset)
    """State codes, of which the call has one; none: any, and calls that go on."""
    session_id: str | None = None
    caller: str | None = None
    callee: str | None = None
    text: str | None = None
    since: datetime | None = None
    """Accepted then or later."""
    until: datetime | None = None
    """Accepted earlier."""

    def __post_init__(self) -> None:
        for name in ("caller", "callee"):
            self._keep(name, _number_part(name, getattr(self, name)))
        self._keep("session_id", _session_part("session_id", self.session_id))
        if self.text is not None:
            stripped = _SPACING.sub("", self.text)
            text = stripped if _NUMBER.fullmatch(stripped) else self.text.strip()
            if not _NUMBER.fullmatch(text):
                _session_part("text", text)
            self._keep("text", _long_enough("text", text))
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise FilterError("until", "must be later than since")

    def _keep(self, name: str, value: str | None) -> None:
        object.__setattr__(self, name, value)


def _number_part(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    part = _SPACING.sub("", value)
    if not _NUMBER.fullmatch(part):
        raise FilterError(name, "must be part of a number: digits, perhaps with a + before them")
    return _long_enough(name, part)


def _session_part(name: str, value: str | None) -> str | None:
    if value is None:
        return None
    part = value.strip()
    if not _SESSION.fullmatch(part):
        raise FilterError(
            name, "must be part of a session id: digits and _ of what stands before its @, or to its end"
        )
    _long_enough(name, part.partition("@")[0])
    return part


def _long_enough(name: str, part: str) -> str:
    if len(part) < SHORTEST:
        raise FilterError(name, f"must have {SHORTEST} characters or more")
    return part


@dataclass(frozen=True, order=True)
class Place:
    """Where a call stands among all, newest first: ordered by when it was accepted."""

    position: int
    """Microseconds since 1970."""
    call_id: str

    @classmethod
    def of(cls, accepted_at: datetime, call_id: str) -> "Place":
        return cls(position_of(accepted_at), call_id)


def position_of(at: datetime) -> int:
    """Microseconds since 1970."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond

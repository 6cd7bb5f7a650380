"""What applying a declaration did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Change:
    """What it did to one thing: "created", "changed", "unchanged" or "removed"."""

    kind: str
    name: str
    what: str
    columns: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    """What was there and is there now, of columns that changed."""
    account_id: str | None = None
    """Whose the thing is; None: the operator's."""

"""What users may do, and how long their passwords are."""

from enum import StrEnum
from typing import Final

SHORTEST_PASSWORD: Final = 12
"""Characters at least, as NIST and OWASP advise where there is no second factor."""
LONGEST_PASSWORD: Final = 256


class Role(StrEnum):
    """What somebody may do; each may do all that those after it may."""

    ADMINISTRATOR = "administrator"
    """Everything, users among it."""
    OPERATOR = "operator"
    """Runs what there is: numbers, review, limits."""
    DEVELOPER = "developer"
    """Works with applications, sounds and templates."""
    VIEWER = "viewer"
    """Reads."""

    def covers(self, other: "Role") -> bool:
        """Whether this role may do all that the other one may."""
        return _RANK[self] <= _RANK[other]


_RANK: Final = {role: rank for rank, role in enumerate(Role)}

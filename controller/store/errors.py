"""Why a write was refused, and why there is no database to work with.

::

    Refused
    ├── LimitReached   there are as many calls as there may be
    ├── Replayed       the nonce has already started a call
    └── AskedBefore    the Idempotency-Key has already started a call
    Fenced             this controller's calls are another's now
    TurnLost           another controller has the turn, or may have it
    DatabaseClosed     there is nothing open to write to
    DatabaseUnusable   address, file, server or schema are at fault
    └── TablesInUse    the schema can't be changed while somebody else uses tables
"""

from datetime import timedelta
from enum import StrEnum


class Refused(Exception):
    """Root: nothing was written."""


class Limit(StrEnum):
    """What can be limited: calls at a time, calls in any second, calls to one person, what calls cost."""

    APP_CALLS = "calls of the app"
    ACCOUNT_CALLS = "calls of the account"
    NUMBER_CALLS = "calls that show the number"
    APP_RATE = "calls per second of the app"
    ACCOUNT_RATE = "calls per second of the account"
    PLATFORM_RATE = "calls per second of the platform"
    FREQUENCY = "calls to one callee"
    SPENDING = "what the account's calls cost in a day"


class LimitReached(Refused):
    """There are as many calls as there may be; `passes_in` if it is known when that passes by itself."""

    def __init__(self, limit: Limit, reason: str, passes_in: timedelta | None = None) -> None:
        super().__init__(f"{limit}: {reason}")
        self.limit = limit
        self.passes_in = passes_in


class Replayed(Refused):
    """The nonce has already started a call."""


class AskedBefore(Refused):
    """The Idempotency-Key has already started a call."""


class Fenced(Exception):
    """Another controller has taken over: this one may write nothing more."""


class TurnLost(Exception):
    """Another controller has the turn, or may have it: nothing more may be done in it."""


class DatabaseClosed(Exception):
    """It was closed, or not opened: no waiting helps."""


class DatabaseUnusable(Exception):
    """Address, file, server or schema are at fault; the text says in one line what, and holds no secret."""


class TablesInUse(DatabaseUnusable):
    """Somebody else uses tables that were to be changed, such as a dump; nothing was changed."""

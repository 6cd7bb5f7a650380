"""Why a write was refused, and why there is no database to work with.

::

    Refused
    ├── LimitReached   the app has as many live calls as it may have
    └── Replayed       the nonce has already started a call
    DatabaseUnusable   address, file, server or schema are at fault
"""


class Refused(Exception):
    """Root: nothing was written."""


class LimitReached(Refused):
    """The app has as many live calls as it may have."""


class Replayed(Refused):
    """The nonce has already started a call."""


class DatabaseUnusable(Exception):
    """Address, file, server or schema are at fault; the text says in one line what, and holds no secret."""

"""Why a write was refused.

::

    Refused
    ├── LimitReached   the app has as many live calls as it may have
    └── Replayed       the nonce has already started a call
"""


class Refused(Exception):
    """Root: nothing was written."""


class LimitReached(Refused):
    """The app has as many live calls as it may have."""


class Replayed(Refused):
    """The nonce has already started a call."""

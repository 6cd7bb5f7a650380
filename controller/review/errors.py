"""Why a decision can't be taken.

::

    ReviewError
    ├── ReviewUnknown    there is no such submission
    ├── ReviewDecided    it no longer waits for a decision
    └── ReviewOutdated   what was submitted has changed meanwhile
"""


class ReviewError(Exception):
    """Root of this room's errors."""


class ReviewUnknown(ReviewError):
    """There is no such submission."""


class ReviewDecided(ReviewError):
    """The submission was decided, or withdrawn as the thing was changed or deleted."""


class ReviewOutdated(ReviewError):
    """What was submitted has changed meanwhile; nothing is decided."""

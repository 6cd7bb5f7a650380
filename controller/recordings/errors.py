"""What can go wrong with recordings.

::

    RecordingError
    ├── RecordingUnknown    nobody may have it: no such name, of another account, failed or purged
    ├── RecordingNotReady   it is still on its way from Asterisk; later it may be had
    ├── RecordingLost       Asterisk doesn't have it: it can't be kept
    └── RecordingUnderWay   Asterisk has not finished writing it; it is fetched later
"""


class RecordingError(Exception):
    """Root of this room's errors."""


class RecordingUnknown(RecordingError):
    """No such name, or it is of another account, failed or purged: the caller must not learn which."""


class RecordingNotReady(RecordingError):
    """It is still on its way from Asterisk."""


class RecordingLost(RecordingError):
    """It can't be kept: Asterisk doesn't have it."""


class RecordingUnderWay(RecordingError):
    """Asterisk has not finished writing it."""

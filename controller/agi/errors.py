"""What can go wrong at the dialplan's door.

::

    AgiError    the other side doesn't speak AGI, or went away
    Refused     an ability says no; its text is for the operator's dialplan
"""


class AgiError(Exception):
    """The other side doesn't speak AGI, or went away; the text says which."""


class Refused(Exception):
    """Raised by an ability that says no; the text becomes VOICECALL_ERROR."""

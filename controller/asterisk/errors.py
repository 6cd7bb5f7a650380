"""What the fleet can't do.

::

    FleetError
    ├── NodeUnavailable   no Asterisk takes calls now
    ├── NoRoute           no route leads to the number
    ├── CannotPlay        the node does not play a sound
    └── NoPhone           a phone in a browser can't be switched on
"""

from controller.phone_number import PhoneNumber


class FleetError(Exception):
    """Root of this room's errors."""


class NodeUnavailable(FleetError):
    """No Asterisk takes calls now."""


class NoRoute(FleetError):
    """No route leads to `number`."""

    def __init__(self, number: PhoneNumber, reason: str) -> None:
        super().__init__(reason)
        self.number = number


class NoPhone(FleetError):
    """A phone in a browser can't be switched on."""


class CannotPlay(FleetError):
    """The node does not play a sound."""

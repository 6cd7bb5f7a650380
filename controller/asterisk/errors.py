"""What the fleet can't do.

::

    FleetError
    ├── NodeUnavailable   no Asterisk takes calls now
    └── NoRoute           no route leads to the number
"""


class FleetError(Exception):
    """Root of this room's errors."""


class NodeUnavailable(FleetError):
    """No Asterisk takes calls now."""


class NoRoute(FleetError):
    """No route leads to the number."""

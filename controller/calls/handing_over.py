"""A controller that ends may leave its conversations to the next one: phones talk on, as after a crash.

Whoever runs such a call is cancelled with a message, and then leaves everything on Asterisk as it is.
"""

import asyncio
from typing import Final

HAND_OVER: Final = "left to the next controller"


def is_handed_over(error: BaseException | None) -> bool:
    """Whether this is the end of a call's task and not of the call."""
    return isinstance(error, asyncio.CancelledError) and error.args == (HAND_OVER,)

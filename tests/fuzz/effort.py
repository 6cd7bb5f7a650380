"""How long tests of this folder try: a little and always the same, or long in `make fuzz MINUTES=`."""

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))
"""How many times as many examples as in the suite; more than one: other examples each time."""


def tries(examples: int, **more: Any) -> Callable[[Any], Any]:
    """So many examples in the suite."""
    return settings(
        max_examples=examples * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **more,
    )

"""A limit in time that also holds while a task that was cancelled tidies up.

Before Python 3.11.3 (Debian 12 has 3.11.2) `asyncio.timeout` ends with CancelledError instead of TimeoutError
in such a task, and whoever tidies up is interrupted in the middle of it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def time_limit(seconds: float | None) -> AsyncIterator[None]:
    """Raises TimeoutError when the block takes longer; None: it may take as long as it wants."""
    task = asyncio.current_task()
    assert task is not None
    cancelled = task.cancelling()
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except asyncio.CancelledError as error:
        if limit.expired() and task.cancelling() <= cancelled:
            raise TimeoutError from error
        raise

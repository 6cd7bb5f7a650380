"""A limit in time that also holds while a task that was cancelled tidies up.

Before Python 3.11.3 (Debian 12 has 3.11.2) `asyncio.timeout` ends with CancelledError instead of TimeoutError
in such a task, and whoever tidies up is interrupted in the middle of it.
"""

import asyncio
from types import TracebackType
from typing import Any


class time_limit:  # noqa: N801 - used like asyncio.timeout
    """Raises TimeoutError when its `async with` takes longer than so many seconds; None: no limit at all."""

    __slots__ = ("_cancelled", "_expired", "_seconds", "_task", "_timer")

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._expired = False
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[Any]

    async def __aenter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task, self._cancelled = task, task.cancelling()
        if self._seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire)

    def _expire(self) -> None:
        self._expired = True
        self._task.cancel()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._expired and self._task.uncancel() <= self._cancelled and kind is asyncio.CancelledError:
            raise TimeoutError from error

"""An event loop whose time jumps: tests of what happens over seconds or days take as long as their work.

A test marked `virtual_time` runs on it. Nothing but the loop may be waited for: sockets are refused, and what
goes to a thread (the database's work) runs in the loop after a moment of virtual time whose length is drawn
from a fixed seed - so that work overlaps as it does with threads, the same way every time.
"""

import asyncio
import selectors
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

_LONGEST_WORK = 0.005
"""Seconds."""


class _Jump(selectors.SelectSelector):
    """Where the loop would wait, its time goes on instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        # The first is the loop's own, by which threads wake it.
        if self.get_map():
            raise RuntimeError("virtual time would run past what a socket waits for")
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everything waits for something that will never happen")
        self.now += timeout
        return super().select(0)


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Starts at 0 seconds and is never idle."""

    def __init__(self) -> None:
        self._jump = _Jump()
        self._random = Random(1)
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        done = self.create_future()
        # As in a thread, it is done also when nobody waits for it any more.
        self.call_later(self._random.uniform(0, _LONGEST_WORK), _work, done, partial(func, *args))
        return done


def _work(done: "asyncio.Future[Any]", func: Callable[[], Any]) -> None:
    try:
        result = func()
    except Exception as error:
        if not done.done():
            done.set_exception(error)
    else:
        if not done.done():
            done.set_result(result)

"""Doing the same with many things, some of them at once."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeVar

T = TypeVar("T")


async def each(things: Collection[T], doing: Callable[[T], Awaitable[Any]], *, at_once: int) -> None:
    """Do something with each of these, in order, with so many at once.

    The first that raises ends it: those under way are cancelled, and its error is raised.
    """
    waiting = iter(things)

    async def work() -> None:
        for thing in waiting:
            await doing(thing)

    workers = [asyncio.ensure_future(work()) for _ in range(min(at_once, len(things)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

"""Writing much without keeping others from writing: batch by batch, with pauses.

One transaction writes at a time, of all controllers: one that lasts for seconds keeps them all from saying
that they live, and then none of them does anything more.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from sqlmodel import Session

from controller.store.database import Database

T = TypeVar("T")

POSTED_AT_ONCE, PAUSE = 50, 0.02
"""Postings in one transaction, each some five statements, or ten if it freezes the account; and seconds in
which others may write."""


async def write_in_batches(
    database: Database,
    items: Sequence[T],
    work: Callable[[Session, Sequence[T]], int],
    size: int = POSTED_AT_ONCE,
    pause: float = PAUSE,
) -> int:
    """Do `work` with so many of the items in each transaction; returns the sum of what it returns.

    When it raises, or the process ends, what was done with the batches before stays done.
    """
    done = 0
    for start in range(0, len(items), size):
        if start:
            await asyncio.sleep(pause)
        done += await database.write(partial(_do, work=work, items=items[start : start + size]))
    return done


def _do(session: Session, work: Callable[[Session, Sequence[T]], int], items: Sequence[T]) -> int:
    return work(session, items)

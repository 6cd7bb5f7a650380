"""Writes that must happen, however long the database stays away."""

import asyncio
import logging
from typing import TypeVar

from controller.store.database import Database, Work
from controller.store.errors import DatabaseClosed, Fenced

T = TypeVar("T")

log = logging.getLogger(__name__)

_RETRY = (0.05, 5.0)
"""Seconds until a write is tried again: the first time, and at most."""


async def write_persistently(database: Database, work: Work[T], what: str, *, patience: float = 0.0) -> T:
    """`database.write`, until it succeeds; `what` is said in the log when it does not.

    An attempt that failed may have gone through all the same. Raises Fenced, DatabaseClosed.
    """
    pause, longest = _RETRY
    while True:
        try:
            return await database.write(work, patience=patience)
        except (Fenced, DatabaseClosed):
            raise
        except Exception:
            log.exception("%s can't be written; trying again", what)
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)

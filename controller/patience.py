"""Changing the database's schema while others use its tables: again and again, for some minutes."""

import asyncio
import logging
from collections.abc import Callable

from controller.logs import say
from controller.store.errors import TablesInUse

PAUSE = 10.0
"""Seconds from one try to the next, in which everybody else gets on."""

PATIENCE = 300.0
"""Seconds after which it is given up."""


async def patiently(change: Callable[[], object], ends: asyncio.Event | None = None) -> None:
    """Run a change of the schema in a thread, until no tables are in its way; `ends` cuts the waiting short.

    Raises TablesInUse, and what else `change` raises.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while True:
        try:
            await asyncio.to_thread(change)
            return
        except TablesInUse as error:
            if loop.time() + PAUSE > until:
                raise TablesInUse(
                    f"{error}. The schema, for {PATIENCE / 60:g} minutes not to be changed, is as it was. "
                    "Wait until they end, or end them (SELECT pg_terminate_backend(PROCESS)), and try again"
                ) from None
            in_use = str(error)
        say(
            f"The database's schema is to be changed, but {in_use}. Tried again in {PAUSE:g} s",
            logging.WARNING,
        )
        if await _happens(ends or asyncio.Event(), PAUSE):
            raise TablesInUse(f"asked to end while {in_use}. The schema is as it was")


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True

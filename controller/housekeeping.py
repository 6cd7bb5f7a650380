"""What nobody needs any more goes from the database."""

import asyncio
import logging
from datetime import timedelta
from functools import partial

from controller.clock import Clock
from controller.store.calls import forget_nonces
from controller.store.database import Database
from controller.store.notices import purge_notices
from controller.store.people import forget_expired
from controller.store.pushes import purge_pushes

log = logging.getLogger(__name__)

_INTERVAL = 600.0
"""Seconds."""

_NOTICES_KEPT = timedelta(days=90)


async def keep_house(database: Database, clock: Clock, attempts_kept: timedelta) -> None:
    """Purge what is over, again and again until cancelled; attempts at pushes are kept for a time."""
    while True:
        now = clock.now()
        try:
            await database.write(partial(forget_nonces, now=now))
            await database.write(partial(forget_expired, now=now))
            while await database.write(partial(purge_pushes, before=now - attempts_kept)):
                pass
            await database.write(partial(purge_notices, before=now - _NOTICES_KEPT))
        except Exception:
            log.exception("Housekeeping failed; trying again later")
        await asyncio.sleep(_INTERVAL)

"""The index of ended calls as a running part: kept up with what ends, made anew when it can't be used."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from controller.store import call_index, call_search
from controller.store.call_filter import CallFilter, Place
from controller.store.call_index import Progress
from controller.store.database import Database
from controller.store.side_file import remove, side_file

log = logging.getLogger(__name__)

BATCH = 500
"""Calls that are taken in by one transaction; a larger one would use a thread for too long at a time."""

_PAUSE = 0.02
"""Seconds between two of them, for whatever else there is to do."""


class CallIndex:
    """What `opened_index` gives."""

    def __init__(self, source: Database, file: Database) -> None:
        self._source = source
        self._file = file

    async def progress(self) -> Progress:
        """How far it has come."""
        return await self._file.read(call_index.progress)

    async def find(self, wanted: CallFilter, before: Place | None, limit: int) -> list[Place]:
        """Places of ended calls that it has, newest first, after `before`."""
        return await self._file.read(partial(call_index.find, wanted=wanted, before=before, limit=limit))

    async def catch_up(self) -> int:
        """Take in what has ended; returns how many calls that were."""
        taken = 0
        while True:
            progress = await self.progress()
            entries = await self._source.read(
                partial(call_search.ended_after, number=progress.number, limit=BATCH)
            )
            if entries:
                await self._file.write(partial(call_index.add, entries=entries))
                taken += len(entries)
            if len(entries) < BATCH:
                return taken
            await asyncio.sleep(_PAUSE)

    async def forget(self, until: int) -> int:
        """Drop calls before this position that the database has no more; returns how many those were."""
        dropped, after = 0, -1
        while True:
            oldest = await self._file.read(partial(call_index.oldest, until=until, after=after, limit=BATCH))
            if not oldest:
                return dropped
            ids = [place.call_id for place in oldest]
            there = await self._source.read(partial(call_search.still_there, call_ids=ids))
            gone = [place for place in oldest if place.call_id not in there]
            if gone:
                await self._file.write(partial(call_index.remove, places=gone))
                dropped += len(gone)
            after = oldest[-1].position
            await asyncio.sleep(_PAUSE)


@asynccontextmanager
async def opened_index(source: Database, path: Path) -> AsyncIterator[CallIndex]:
    """The index of `source` in this file; begun anew if the file is unusable or another database's."""
    if not await _is_usable(source, path):
        remove(path)
    async with side_file(path) as file:
        await file.write(call_index.LAYOUT.create)
        yield CallIndex(source, file)


@asynccontextmanager
async def lent_index(source: Database, path: Path) -> AsyncIterator[CallIndex]:
    """An index to search by while another process keeps it up; an empty one if there is none to use."""
    async with AsyncExitStack() as stack:
        if not path.exists() or not await _is_usable(source, path):
            path = Path(stack.enter_context(TemporaryDirectory())) / path.name
        file = await stack.enter_async_context(side_file(path))
        await file.write(call_index.LAYOUT.create)
        yield CallIndex(source, file)


async def _is_usable(source: Database, path: Path) -> bool:
    if not path.exists():
        return True
    progress = await call_index.LAYOUT.look(path, call_index.progress)
    if progress is None:
        return False
    fits = await source.read(partial(call_search.fits, progress=progress))
    if not fits:
        log.warning("The index of calls is another database's and is made anew", extra={"file": str(path)})
    return fits

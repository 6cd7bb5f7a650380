"""The journal: timeline entries on their way to the database.

Nobody waits for most of them, so they gather for a moment and go in one statement; a crash may take that
moment with it. What must not be lost - the answer, from which a call costs money - is written
without that moment. While the database can't be written entries wait, and go with the next that come.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from sqlmodel import Session

from controller.store.calls import add_entries, add_missing_entries
from controller.store.database import Database

log = logging.getLogger(__name__)

GATHERING = 0.05
"""Seconds."""

_PATIENCE = 0.02
"""Seconds that an entry may wait for other writes to be committed with."""


_AGAIN = 0.5
"""Seconds until entries that the database did not take are written again."""

_Add = Callable[[Session, Sequence[Mapping[str, Any]]], None]


class Journal:
    """Takes entries at any rate and writes them a few times a second."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._entries: list[Mapping[str, Any]] = []
        self._in_doubt = False
        """Some of them may be written already."""
        self._written: asyncio.Future[None] | None = None
        self._flush: asyncio.TimerHandle | None = None
        self._writing: set[asyncio.Task[None]] = set()

    def add(self, entry: Mapping[str, Any]) -> "asyncio.Future[None]":
        """Take an entry; never waits. The future is done when it is written, or could not be."""
        self._entries.append(entry)
        return self._written_within(GATHERING)

    def add_now(self, entry: Mapping[str, Any]) -> "asyncio.Future[None]":
        """Take an entry that must not be lost: it is written without gathering."""
        written = self.add(entry)
        self._start()
        return written

    def _written_within(self, seconds: float) -> "asyncio.Future[None]":
        if self._written is None:
            loop = asyncio.get_running_loop()
            self._written = loop.create_future()
            self._flush = loop.call_later(seconds, self._start)
        return self._written

    def _start(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
        entries, self._entries = self._entries, []
        written, self._written = self._written, None
        if written is None:
            return
        in_doubt, self._in_doubt = self._in_doubt, False
        writing = asyncio.create_task(self._write(entries, written, in_doubt))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)

    async def _write(
        self, entries: list[Mapping[str, Any]], written: "asyncio.Future[None]", in_doubt: bool
    ) -> None:
        add = add_missing_entries if in_doubt else add_entries
        try:
            await self._put(entries, add)
        finally:
            written.set_result(None)

    async def _put(self, entries: list[Mapping[str, Any]], add: _Add) -> None:
        try:
            await self._database.write(lambda session: add(session, entries), patience=_PATIENCE)
        except Exception as error:
            if not _is_no_good(error):
                log.warning("Timeline entries wait for the database", exc_info=error)
                self._entries[:0] = entries
                # The connection may have broken after the commit.
                self._in_doubt = True
                self._written_within(_AGAIN)
            elif add is not add_missing_entries:
                # Some may be there, as those of a call that was written anew with its end.
                await self._put(entries, add_missing_entries)
            elif len(entries) == 1:
                [entry] = entries
                log.exception(
                    "A timeline entry can't be written",
                    extra={"call": entry.get("call_id"), "sequence": entry.get("sequence")},
                )
            else:
                # By halves, until those are found that are no good: they must not take others with them.
                half = len(entries) // 2
                await asyncio.gather(*(self._put(part, add) for part in (entries[:half], entries[half:])))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left."""
        self._start()
        if self._writing:
            await asyncio.wait(self._writing)
        if self._flush is not None:
            self._flush.cancel()
        if self._entries:
            log.error("Timeline entries are lost", extra={"entries": len(self._entries)})


def _is_no_good(error: Exception) -> bool:
    """Whether what was to be written is against the rules of the tables, so that no waiting helps.

    Drivers raise their own errors here; PEP 249 gives them these names.
    """
    return any(
        kind.__name__ in ("IntegrityError", "DataError", "ProgrammingError") for kind in type(error).mro()
    )

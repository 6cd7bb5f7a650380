"""Bodies on their way in: never in memory, cut off at their limit, gone when they were looked at."""

import asyncio
import re
import secrets
import time
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from controller.prompts.errors import SoundFileError, SoundProblem
from controller.prompts.library import was_touched_before
from controller.sounds.errors import UploadsBusy, UploadUnknown

_PIECE = 256 * 1024
"""Bytes that are gathered before they are written: each write is a thread's work."""
_KEPT_FOR = 3600.0
"""Seconds that a refused file waits for being converted, and after which an upload that nobody writes to is
nobody's any more: it was under way in a process that was killed."""
_KEPT_FILES = 3
"""Refused files of an account."""
_TICKET = re.compile(r"[0-9a-f]{32}")


class UploadDesk:
    """Takes bodies into files of a folder that controllers share, at most `at_once` at a time."""

    def __init__(self, folder: Path, at_once: int) -> None:
        self._folder = folder
        self._at_once = at_once
        self._under_way = 0

    def clear(self) -> None:
        """Remove what is an hour old: what a process that was killed left behind, and refused files."""
        self._forget_old("*.upload")
        self._forget_old("*.kept")

    def keep(self, path: Path, account_id: str) -> str:
        """Keep a file that was received for an hour; returns what names it. The oldest of many goes."""
        ticket = secrets.token_hex(16)
        path.replace(self._kept_path(account_id, ticket))
        self.clear()
        mine = sorted(self._folder.glob(f"{account_id}.*.kept"), key=lambda it: it.stat().st_mtime)
        for oldest in mine[:-_KEPT_FILES]:
            oldest.unlink(missing_ok=True)
        return ticket

    def kept(self, account_id: str, ticket: str) -> Path:
        """A file that was kept for this account. Raises UploadUnknown."""
        self._forget_old(f"{account_id}.*.kept")
        path = self._kept_path(account_id, ticket)
        if not _TICKET.fullmatch(ticket) or not path.exists():
            raise UploadUnknown("The file is no longer here: upload it again")
        return path

    def _kept_path(self, account_id: str, ticket: str) -> Path:
        return self._folder / f"{account_id}.{ticket}.kept"

    def _forget_old(self, pattern: str) -> None:
        for path in self._folder.glob(pattern):
            if was_touched_before(path, time.time() - _KEPT_FOR):
                path.unlink(missing_ok=True)

    @asynccontextmanager
    async def received(
        self, body: AsyncIterable[bytes], limit: int, announced: int = 0
    ) -> AsyncIterator[Path]:
        """A file with the whole body, until the end of the block.

        :raises UploadsBusy: too many are under way.
        :raises SoundFileError: the body has, or announces, more than ``limit`` bytes; the rest is not read.
        """
        if announced > limit:
            raise _too_large(limit)
        if self._under_way >= self._at_once:
            raise UploadsBusy("Too many uploads are under way; try again in a moment")
        self._under_way += 1
        path = self._folder / f"{secrets.token_hex(16)}.upload"
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            await _write(path, body, limit)
            yield path
        finally:
            self._under_way -= 1
            path.unlink(missing_ok=True)


async def _write(path: Path, body: AsyncIterable[bytes], limit: int) -> None:
    size, waiting = 0, bytearray()
    with await asyncio.to_thread(path.open, "xb") as file:
        async for piece in body:
            size += len(piece)
            if size > limit:
                raise _too_large(limit)
            waiting += piece
            if len(waiting) >= _PIECE:
                await asyncio.to_thread(file.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(file.write, bytes(waiting))


def _too_large(limit: int) -> SoundFileError:
    megabytes = limit / 1024 / 1024
    return SoundFileError(SoundProblem.TOO_LARGE, f"The file has more than {limit} bytes ({megabytes:g} MB)")

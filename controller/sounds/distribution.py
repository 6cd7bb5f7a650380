"""From approved to usable: every node gets the sound file and shows that it can play it.

A node plays prompts from a folder; a single one shares it with its controller. What counts is not that the
file was put there but that each node, asked to play its end to a channel of its own, does: another user
without the right to read, a folder that isn't mounted, a disk that is full all show here, not in a call.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from sqlmodel import Session

from controller.asterisk.errors import FleetError
from controller.prompts.library import PromptLibrary
from controller.sounds.files import audio_of
from controller.store import sounds as rows
from controller.store.database import Database
from controller.store.directory import count_change
from controller.store.sounds import Undistributed

log = logging.getLogger(__name__)

_RETRY = 15.0
"""Seconds until what a node couldn't play is tried again."""


class Player(Protocol):
    """A node."""

    @property
    def name(self) -> str: ...

    async def check_plays(self, media: str, seconds: float) -> None:
        """Have a medium of this length played to its end. Raises FleetError, which says why it can't be."""
        ...


class Distributor:
    """Makes usable what is approved. `on_usable` is awaited whenever something has become so."""

    def __init__(
        self,
        database: Database,
        drafts: PromptLibrary,
        library: PromptLibrary,
        nodes: Sequence[Player],
        on_usable: Callable[[], Awaitable[None]],
    ) -> None:
        self._database = database
        self._drafts = drafts
        self._library = library
        self._nodes = nodes
        self._on_usable = on_usable
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Something may have been approved."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._news.clear()
            try:
                left = await self.distribute()
            except Exception:
                log.exception("Sound files can't be distributed; trying again")
                left = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY if left else None):
                    await self._news.wait()

    async def distribute(self) -> bool:
        """Try everything that is approved once; True if something could not be made usable."""
        waiting = await self._database.read(rows.undistributed)
        troubles = [await self._try(sound) for sound in waiting]
        if None in troubles:
            await self._on_usable()
        return any(trouble is not None for trouble in troubles)

    async def _try(self, sound: Undistributed) -> str | None:
        trouble = await self._trouble(sound)
        if trouble is not None:
            log.warning("A sound file can't be used yet", extra={"sound": sound.name, "error": trouble})
        await self._database.write(partial(_settle, sound=sound, trouble=trouble))
        return trouble

    async def _trouble(self, sound: Undistributed) -> str | None:
        try:
            audio = await asyncio.to_thread(audio_of, sound.digest, self._drafts, self._library)
            await asyncio.to_thread(self._library.keep, audio)
        except OSError as error:
            return f"its audio can't be kept: {error.strerror}"
        for node in self._nodes:
            try:
                await node.check_plays(self._library.media(sound.digest), sound.duration_ms / 1000)
            except FleetError as error:
                return f"{node.name} can't play it: {error}"
        return None


def _settle(session: Session, sound: Undistributed, trouble: str | None) -> None:
    """Write down how it went, unless other sound was uploaded or it was deleted meanwhile."""
    row = rows.sound(session, sound.account_id, sound.name)
    if row is None or sound not in rows.undistributed(session):
        return
    row.trouble = trouble
    if trouble is None:
        row.usable_digest, row.usable_ms = sound.digest, sound.duration_ms
        count_change(session)

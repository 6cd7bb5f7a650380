"""From approved to usable: every node gets the sound file and shows that it can play it.

A node plays prompts from a folder; a single one shares it with its controller. What counts is not that the
file was put there but that each node, asked to play its end to a channel of its own, does: another user
without the right to read, a folder that isn't mounted, a disk that is full all show here, not in a call.

A node that is away holds nobody up: it owes what became usable without it, and plays it before it gets calls.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import islice
from typing import Protocol

from sqlmodel import Session

from controller.asterisk.errors import CannotPlay, FleetError
from controller.prompts.library import PromptLibrary, is_gone
from controller.sounds.files import audio_of
from controller.store import sounds as rows
from controller.store.database import Database
from controller.store.directory import count_change
from controller.store.sounds import Undistributed

log = logging.getLogger(__name__)

_RETRY = 15.0
"""Seconds until what a node couldn't play is tried again."""

_LOOK = 0.5
"""Seconds between two looks whether a node has come, when there was none."""

_AT_ONCE = 4
"""Sound files that are tried at a time: one that a node takes its time for holds up few others."""

_NEWEST = 10
"""Sound files that a node plays which this process has never seen: what it missed before nobody knows."""

_NOBODY = "no node is there to play it"


class Player(Protocol):
    """A node."""

    @property
    def name(self) -> str: ...

    @property
    def works(self) -> bool:
        """It is there, and has shown what it is asked to show before it gets calls."""
        ...

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
        self._owed: dict[str, dict[str, float]] = {node.name: {} for node in nodes}
        """By node: digests of what became usable without it, and their seconds."""
        self._seen: set[str] = set()
        """Nodes that have been there since this process began."""

    def wake(self) -> None:
        """Something may have been approved."""
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._news.clear()
            nobody = not self._somebody
            try:
                left = await self.distribute()
            except Exception:
                log.exception("Sound files can't be distributed; trying again")
                left = True
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RETRY if left else None):
                    await (self._until_somebody() if left and nobody else self._news.wait())

    @property
    def _somebody(self) -> bool:
        return any(node.works for node in self._nodes)

    async def _until_somebody(self) -> None:
        while not self._somebody:  # noqa: ASYNC110  # nodes tell nobody
            await asyncio.sleep(_LOOK)

    async def distribute(self) -> bool:
        """Try everything that is approved once; True if something could not be made usable."""
        waiting = await self._database.read(rows.undistributed)
        places = asyncio.Semaphore(_AT_ONCE)

        async def in_turn(sound: Undistributed) -> str | None:
            async with places:
                return await self._try(sound)

        troubles = await asyncio.gather(*(in_turn(sound) for sound in waiting))
        if None in troubles:
            await self._on_usable()
        return any(trouble is not None for trouble in troubles)

    async def catch_up(self, node: Player) -> None:
        """Have a node that came play what became usable without it. Raises FleetError.

        When this returns it owes nothing, and what becomes usable from now on it is asked for, if it `works`
        before anything else happens.
        """
        owed = self._owed[node.name]
        if node.name not in self._seen:
            owed |= await self._newest()
            self._seen.add(node.name)
        while owed:
            some = dict(islice(owed.items(), _AT_ONCE))
            played = await asyncio.gather(
                *(self._shows(node, digest, seconds) for digest, seconds in some.items()),
                return_exceptions=True,
            )
            for digest, error in zip(some, played, strict=True):
                if error is None:
                    del owed[digest]
            for error in filter(None, played):
                raise error

    async def _shows(self, node: Player, digest: str, seconds: float) -> None:
        media = self._library.media(digest)
        # What was deleted meanwhile, so long ago that it has left the folder, nobody plays any more.
        if not is_gone(media):
            await node.check_plays(media, seconds)

    async def _newest(self) -> dict[str, float]:
        """What became usable last. Raises FleetError."""
        try:
            usable = await self._database.read(rows.usable)
            digests = await asyncio.to_thread(self._library.newest, usable, _NEWEST)
        except Exception as error:
            raise CannotPlay(f"what it has to play can't be read: {error}") from error
        return {digest: usable[digest] / 1000 for digest in digests}

    async def _try(self, sound: Undistributed) -> str | None:
        trouble = await self._trouble(sound)
        if trouble is not None:
            log.warning("A sound file can't be used yet", extra={"sound": sound.name, "error": trouble})
        await self._database.write(partial(_settle, sound=sound, trouble=trouble))
        return trouble

    async def _trouble(self, sound: Undistributed) -> str | None:
        if not self._somebody:
            return _NOBODY
        try:
            audio = await asyncio.to_thread(audio_of, sound.digest, self._drafts, self._library)
            await asyncio.to_thread(self._library.keep, audio)
        except OSError as error:
            return f"its audio can't be kept: {error.strerror}"
        played = False
        for node in self._nodes:
            try:
                played |= await self._plays(node, sound)
            except FleetError as error:
                return f"{node.name} can't play it: {error}"
        return None if played else _NOBODY

    async def _plays(self, node: Player, sound: Undistributed) -> bool:
        """Whether it does; False: it is away, and owes it. Raises FleetError."""
        seconds = sound.duration_ms / 1000
        if node.works:
            try:
                await node.check_plays(self._library.media(sound.digest), seconds)
            except FleetError:
                if node.works:
                    raise
            else:
                return True
        self._owed[node.name][sound.digest] = seconds
        return False


def _settle(session: Session, sound: Undistributed, trouble: str | None) -> None:
    """Write down how it went, unless other sound was uploaded or it was deleted meanwhile."""
    row = rows.sound(session, sound.account_id, sound.name)
    if row is None or sound not in rows.undistributed(session):
        return
    row.trouble = trouble
    if trouble is None:
        row.usable_digest, row.usable_ms = sound.digest, sound.duration_ms
        count_change(session)

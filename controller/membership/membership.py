"""A controller among others: it says that it lives, sees who no longer does, and takes over.

Clocks are not compared. Who takes over has seen by its own clock that the other's count stood still, look
after look, while its own could go up; and a controller acts only while its own last sign of life is younger
than that. So one that was paused does nothing to calls until it knows that it still has them - or that it has
not, and then it ends on the spot, like one that was killed: what it has in memory is no longer true.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session

from controller.clock import Clock
from controller.store import controllers
from controller.store.controllers import Estate, Pulse
from controller.store.database import Database
from controller.store.errors import DatabaseUnusable, Fenced

log = logging.getLogger(__name__)

BEAT = 1.0
"""Seconds from one sign of life to the next, and from one look at the others to the next."""

CERTAIN = 4.0
"""Seconds from a sign of life for which a controller may act."""

GONE = 6.0
"""Seconds without a sign of life after which a controller is taken over."""

GONE_ALONE = 12.0
"""The same of one that has its database to itself, and gives its signs less often."""

_LONGEST_GAP = 3.0
"""Seconds between two looks; after more of them nobody is known to have been silent meanwhile."""

NAME_PATIENCE = 2.5
"""Seconds in which a controller that lives gives a sign of it."""

OnEstate = Callable[[Estate], Awaitable[None]]


def _now() -> float:
    """Seconds by a clock that goes on while the machine sleeps: the loop's stands still then."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class _Seen:
    """Since when, by our clock, another controller has been as it is."""

    pulse: Pulse
    since: float


class Membership:
    """This controller's place among those of its database."""

    def __init__(
        self,
        database: Database,
        name: str,
        application: str,
        nodes: Collection[str],
        clock: Clock,
        on_fenced: Callable[[str], None],
    ) -> None:
        """`on_fenced` is told, in whatever thread finds it out, why this controller must end at once."""
        self.name = name
        self._database = database
        self._application = application
        self._nodes = frozenset(nodes)
        self._clock = clock
        self._on_fenced = on_fenced
        self._epoch = 0
        self._beaten = asyncio.Event()
        self._beat_at = float("-inf")
        self._seen: dict[str, _Seen] = {}
        self._near: set[str] = set()
        """Nodes of the other controllers that live."""
        self._looked_at = float("-inf")
        self.is_connected: Callable[[str], bool] = lambda _node: True
        """Whether there is a connection to the Asterisk of a node now."""
        self._asterisks: dict[str, str] = {}
        """By node: the entity id of the Asterisk that it is for this controller. Of the writer's thread."""
        self._unsure: tuple[Pulse, Estate] | None = None
        """A takeover of which it was not heard whether it was committed."""

    @property
    def certain(self) -> bool:
        """Nobody can have taken over."""
        return _now() - self._beat_at < CERTAIN

    async def wait_certain(self) -> None:
        """Wait until nobody can have taken over."""
        while not self.certain:
            self._beaten.clear()
            await self._beaten.wait()

    async def join(self) -> None:
        """Be there, in the place of whoever had this name, before anything else is done in the database.

        Raises DatabaseUnusable if whoever has it still lives.
        """
        await self._check_name()
        began = _now()
        self._epoch = await self._database.write(
            lambda session: controllers.join(
                session, self.name, self._application, sorted(self._nodes), self._clock.now()
            )
        )
        self._database.fence = self._check
        self._has_beaten(began)

    async def _check_name(self) -> None:
        """One that has crashed has not left either; but it gives no more signs of life."""
        before = await self._database.read(partial(controllers.pulse_of, name=self.name))
        if before is None or before.left:
            return
        await asyncio.sleep(NAME_PATIENCE)
        if await self._database.read(partial(controllers.pulse_of, name=self.name)) != before:
            raise DatabaseUnusable(
                f"name: a controller called {self.name} is running on this database; give each its own"
            )

    async def leave(self) -> None:
        """Go, after everything else is done: others have what is left."""
        try:
            await self._database.write(
                lambda session: controllers.leave(session, self.name, self._clock.now())
            )
        except Exception:
            log.exception("The others will see by themselves that this controller is gone")

    def _check(self, session: Session) -> None:
        found = controllers.epoch_of(session, self.name)
        if found != self._epoch:
            reason = f"another controller has taken over from {self.name}, or was started under its name"
            self._on_fenced(reason)
            raise Fenced(reason)

    def _has_beaten(self, began: float) -> None:
        self._beat_at = began
        self._beaten.set()

    async def live(self) -> None:
        """Give signs of life until cancelled."""
        while True:
            began = _now()
            try:
                await self._database.write(self._give_sign)
                self._has_beaten(began)
            except Exception:
                log.exception("No sign of life can be given; trying again")
            await asyncio.sleep(max(0.0, began + BEAT - _now()))

    def _give_sign(self, session: Session) -> None:
        controllers.beat(session, self.name, self._clock.now())
        self._note_asterisks(session)

    async def claim(self, node: str, entity_id: str) -> str | None:
        """Have a node's name stand for the Asterisk of this id, if that is so at all that live.

        Returns one that is connected to another Asterisk under this name: it is that one's. An Asterisk
        that says no id can't be told apart.
        """
        if not entity_id:
            return None
        claim = partial(self._claim, node=node, entity_id=entity_id)
        if await self._database.write(claim) is None:
            return None
        # After a restart, or in a new machine, it may have another id: who lost it too must get to say so.
        await asyncio.sleep(NAME_PATIENCE)
        return await self._database.write(claim)

    def _claim(self, session: Session, node: str, entity_id: str) -> str | None:
        self._asterisks.pop(node, None)
        rivals = controllers.rivals(session, self.name, node, entity_id)
        if not rivals:
            self._asterisks[node] = entity_id
        # In any case: two that wait for each other to let go of the one before would wait for ever.
        self._note_asterisks(session)
        return min(rivals, default=None)

    def _note_asterisks(self, session: Session) -> None:
        connected = {node: its for node, its in self._asterisks.items() if self.is_connected(node)}
        controllers.note_asterisks(session, self.name, connected)

    async def watch(self, on_estate: OnEstate) -> None:
        """Take over what others leave, until cancelled; `on_estate` is awaited for each.

        It may be awaited for one that is not ours after all, as when a commit was not heard of.
        """
        while True:
            try:
                await self._make_sure(on_estate)
                for gone in await self._silent():
                    await self._take_over(gone, on_estate)
            except Exception:
                log.exception("Other controllers can't be watched; trying again")
            await asyncio.sleep(BEAT)

    async def _silent(self) -> list[Pulse]:
        """Those that left, and those that have given no sign of life for long enough."""
        found = await self._database.read(partial(controllers.pulses, name=self.name))
        now = _now()
        if now - self._looked_at > _LONGEST_GAP or now - self._beat_at >= GONE:
            # We or the database were away, or it took no writes: the others had no chance either.
            self._seen = {}
        self._looked_at = now
        before, self._seen = self._seen, {}
        for pulse in found:
            known = before.get(pulse.name)
            self._seen[pulse.name] = known if known and known.pulse == pulse else _Seen(pulse, now)
        silent = {
            seen.pulse.name: seen.pulse
            for seen in self._seen.values()
            if seen.pulse.left or now - seen.since >= GONE
        }
        # Who uses the same nodes can do more for its calls, and goes first.
        self._near = {node for pulse in found if pulse.name not in silent for node in pulse.nodes}
        return [
            pulse for pulse in silent.values() if pulse.nodes & self._nodes or not pulse.nodes & self._near
        ]

    async def _take_over(self, gone: Pulse, on_estate: OnEstate) -> None:
        def take(session: Session) -> Estate | None:
            # Its calls on nodes that we don't have would only be closed.
            left_to = self._near - self._nodes
            estate = controllers.take_over(session, gone, self.name, self._clock.now(), left_to)
            self._unsure = None if estate is None else (gone, estate)
            return estate

        estate = await self._database.write(take)
        self._unsure = None
        if estate is not None:
            # Also if the other one is back already: it has lost these calls.
            await self._go_on(gone, estate, on_estate)

    async def _make_sure(self, on_estate: OnEstate) -> None:
        """Go on with what may have been taken over: the connection may have gone at the commit."""
        if self._unsure is None:
            return
        gone, estate = self._unsure
        # A write waits for its turn: then that commit is over, also at a server that was slow with it.
        may_have = await self._database.write(
            partial(controllers.may_have_taken_over, seen=gone, name=self.name)
        )
        self._unsure = None
        if may_have:
            await self._go_on(gone, estate, on_estate)

    async def _go_on(self, gone: Pulse, estate: Estate, on_estate: OnEstate) -> None:
        log.warning(
            "A controller is gone and is taken over",
            extra={"controller": gone.name, "live_calls": len(estate.live), "left": gone.left},
        )
        await on_estate(estate)

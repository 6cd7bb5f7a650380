"""One Asterisk node: its connection, whether it takes calls, and the way numbers go from it."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping
from random import Random
from types import TracebackType
from typing import Self

from controller import ari
from controller.asterisk import simulated
from controller.asterisk.errors import FleetError, NodeUnavailable
from controller.asterisk.media import remote_media
from controller.asterisk.phones import Phones
from controller.asterisk.probe import check_plays
from controller.asterisk.proofs import Proofs
from controller.asterisk.routing import (
    RouteConfiguration,
    RoutingTable,
    TrunkConfiguration,
    Way,
)
from controller.asterisk.trunk_file import TrunkFile
from controller.asterisk.trunk_states import TrunkStates
from controller.clock import Clock, SystemClock
from controller.lifecycle import watched
from controller.phone_number import PhoneNumber
from controller.settings import AsteriskSettings, PhoneSettings
from controller.store.turns import Turn, alone

log = logging.getLogger(__name__)

_NO_PHONES = PhoneSettings(prefix="")

_UNWANTED_EVENTS = (
    "BridgeCreated",
    "BridgeDestroyed",
    "ChannelCallerId",
    "ChannelConnectedLine",
    "ChannelDialplan",
    "ChannelEnteredBridge",
    "ChannelHangupRequest",
    "ChannelLeftBridge",
    "ChannelStateChange",
    "ChannelVarset",
    "PlaybackContinuing",
    "PlaybackStarted",
    "StasisEnd",
)
"""Events that no flow reads; Asterisk doesn't send them at all."""

_LOST_AFTER = 8.0
"""Seconds without a connection after which the calls of a node are given up."""

_LOOK_EVERY = 1.0
"""Seconds between looks at why a node isn't back."""

_GIVE_UP_AGAIN = 1.0
"""Seconds until calls that could not be given up, as when the database was away, are tried again."""

_PROBE_AGAIN = 5.0
"""Seconds until a node that can't play prompts is asked again whether it can."""

OnDialled = Callable[[str, str], None]
"""Takes a channel's id and its SIP Call-ID; "": it speaks no SIP."""

OnSnapshot = Callable[[ari.Snapshot], Awaitable[None]]

OnLost = Callable[[], Awaitable[None]]

CatchUp = Callable[[], Awaitable[None]]

Claim = Callable[[str], Awaitable[str | None]]
"""Takes an entity id; returns the controller to which the node's name is another Asterisk."""


async def _nothing_to_do() -> None:
    pass


async def _nobody_else(_entity_id: str) -> str | None:
    return None


def _nobody_listens(_channel_id: str, _sip_id: str) -> None:
    pass


class NameTaken(FleetError, ari.AriError):
    """To another controller the node's name is another Asterisk, which has calls and recordings under it."""


class Node:
    """An Asterisk that calls are made on.

    Each time the connection was made or regained, before calls are taken again, `global_variables` are set in
    the node's dialplan and `on_snapshot` is called. `on_lost` is awaited when it has been away for so long
    that its calls are given up.
    """

    def __init__(
        self,
        settings: AsteriskSettings,
        *,
        on_snapshot: OnSnapshot | None = None,
        simulated_prefix: str = "",
        phone: PhoneSettings = _NO_PHONES,
        clock: Clock | None = None,
        random: Random | None = None,
        permission: ari.Permission | None = None,
        retry: ari.RetryDecision = ari.retry_unless_refused,
        turn: Turn = alone,
    ) -> None:
        self.name = settings.name
        self.settings = settings
        self.on_snapshot = on_snapshot
        self.on_lost: OnLost = _nothing_to_do
        self.calls: set[str] = set()
        """Ids of the calls that this controller has on it."""
        self.draining = False
        """Calls under way may end; it gets no new ones."""
        self.probe: tuple[str, float] | None = None
        """A medium, and its seconds, that the node must play after each connect before it gets calls."""
        self.catch_up: CatchUp = _nothing_to_do
        """Has it play what it missed, after each connect, if there is a `probe`. Raises FleetError."""
        self.claim: Claim = _nobody_else
        """Asked after each connect, before anything else is: calls and recordings go by the node's name."""
        self._rival: str | None = None
        self.global_variables: dict[str, str] = {}
        self.on_dialled: OnDialled = _nobody_listens
        """Called when a channel has been made."""
        self._simulated_prefix = simulated_prefix
        self.routing = RoutingTable(simulated_prefix=simulated_prefix)
        self._startup_time: str | None = None
        self._plays = asyncio.Event()
        self._proofs = Proofs(self.check_plays)
        self.given_up = False
        """It has been away for so long that its calls are given up."""
        self._settling = False
        self._held_up_at = -math.inf
        """When it was last there and could not be used for something of ours, on the loop's clock."""
        self._permission = permission
        self._running: list[asyncio.Task[None]] = []
        self.ari = ari.Client(
            ari.Address(
                settings.ari_url, settings.ari_user, settings.ari_password.get_secret_value(), settings.name
            ),
            settings.application,
            on_ready=self._on_ready,
            unwanted_events=_UNWANTED_EVENTS,
            max_in_flight=settings.commands_in_flight,
            request_timeout=settings.command_timeout,
            heartbeat=settings.heartbeat,
            random=random,
            permission=permission,
            retry=retry,
        )
        self.trunks = TrunkStates(settings, self.ari)
        self._trunk_file = TrunkFile(settings, random, turn)
        self.phones = Phones(self.ari, phone, settings.application, clock or SystemClock())

    @property
    def available(self) -> bool:
        """Calls can be made now."""
        return self.ari.ready

    @property
    def works(self) -> bool:
        """It is there, and plays prompts where that is asked of it."""
        return self.available and (self.probe is None or self._plays.is_set())

    @property
    def takes_calls(self) -> bool:
        """New calls can be put on it now."""
        return self.works and not self.draining

    @property
    def load(self) -> float:
        """Calls in proportion to its weight."""
        return len(self.calls) / self.settings.weight

    @property
    def trunks_in_force(self) -> bool:
        """Asterisk has the trunks that were declared."""
        return self._trunk_file.in_force

    @property
    def fetches(self) -> bool:
        """It shares no files with the controller, and fetches what it plays."""
        return bool(self.settings.prompt_url)

    def media(self, media: str) -> str:
        """What this node is told to play for media that are files of the controller's."""
        return remote_media(media, self.settings.prompt_url) if self.fetches else media

    async def info(self) -> ari.AsteriskInfo | None:
        """What Asterisk says of itself; None: it can't be asked now."""
        if not self.available:
            return None
        try:
            return await self.ari.asterisk.info()
        except ari.AriError:
            # It was lost just now.
            return None

    def ways(self, number: PhoneNumber) -> tuple[Way, ...]:
        """The ways to `number`, one at least, those that are known to be cut last. Raises NoRoute."""
        if self.phones.has(number):
            return (Way(self.phones.dial_string(number)),)
        return self.trunks.working_first(self.routing.ways(number))

    def is_cut(self, number: PhoneNumber) -> bool:
        """Whether every way to `number` is over a trunk that is known not to work. Raises NoRoute."""
        trunk = self.ways(number)[0].trunk
        return trunk is not None and not self.trunks.state(trunk).works

    def failures(self, number: PhoneNumber) -> int:
        """How many calls in a row failed lately at the best of the trunks to `number`. Raises NoRoute."""
        return min(0 if way.trunk is None else self.trunks.failures(way.trunk) for way in self.ways(number))

    def sip_status(self, number: PhoneNumber, cause: int) -> int:
        """With which SIP status a callee without a phone says a Q.850 cause; 0 for every other callee."""
        is_played = self.routing.is_simulated(number) or self.phones.has(number)
        return simulated.sip_status(cause) if is_played else 0

    async def check_plays(self, media: str, seconds: float) -> None:
        """Have a sound of this length played to its end, to nobody. Raises FleetError."""
        await check_plays(self.ari, self.media(media), seconds)

    async def check_fetches(self, media: Mapping[str, float]) -> None:
        """Have it shown that these, with their seconds, are played where they must be fetched first.

        Costs nothing once a node has shown it since it was connected. Raises CannotPlay.
        """
        if self.fetches:
            await self._proofs.check(media)

    def doubt(self) -> None:
        """Something was not played: what is to be fetched has to be shown anew."""
        self._proofs.forget()

    def check_available(self) -> None:
        """Raise NodeUnavailable unless calls can be made now.

        A channel made without a socket would be answered with 200 and lost.
        """
        if not self.available:
            raise NodeUnavailable(f"{self.name} takes no calls now")

    async def configure(
        self, trunks: Iterable[TrunkConfiguration], routes: Iterable[RouteConfiguration]
    ) -> None:
        """Put trunks and routes into force; running calls are not touched.

        What can't be done now is tried again until it succeeds; `trunks_in_force` tells.
        """
        trunks = list(trunks)
        self.routing = RoutingTable(routes, self._simulated_prefix)
        self.trunks.watch(trunks)
        await self._trunk_file.put(trunks)

    async def wait_takes_calls(self) -> None:
        """Wait until calls can be put on it, unless it is draining. Raises what it was given up for."""
        await self.ari.wait_ready()
        if self.probe is not None:
            await self._plays.wait()

    async def ended(self) -> None:
        """Wait until the node is given up for good, as no waiting mends it. Raises FleetError."""
        try:
            await self.ari.wait_ended()
        except ari.OwnershipLost:
            raise FleetError(
                f"another controller took over {self.name} with the same asterisk.application; "
                "give each controller its own"
            ) from None
        except Exception as error:
            raise FleetError(
                f"{self.name} refuses this controller; compare asterisk.ari_user and asterisk.ari_password "
                f"with ari.conf ({error})"
            ) from error

    async def _check_name(self, entity_id: str) -> None:
        """Raises NameTaken."""
        rival, before = await self.claim(entity_id), self._rival
        self._rival = rival
        if rival is None:
            return
        if rival != before:
            log.error(
                "Node is not used: its name is another Asterisk's. Give each Asterisk a name of its own",
                extra={"node": self.name, "controller": rival, "entity_id": entity_id},
            )
        raise NameTaken(f"{self.name} is another Asterisk than that of controller {rival}")

    async def _on_ready(self, snapshot: ari.Snapshot) -> None:
        self._settling = True
        try:
            await self._settle(snapshot)
        except (FleetError, ari.AriError):
            raise
        except Exception:
            # As when the database is away.
            self._held_up_at = asyncio.get_running_loop().time()
            raise
        finally:
            self._settling = False
        log.info("Node takes calls", extra={"node": self.name})

    async def _settle(self, snapshot: ari.Snapshot) -> None:
        await self._check_name(snapshot.entity_id)
        if self._startup_time not in (None, snapshot.startup_time):
            log.warning("Asterisk was restarted", extra={"node": self.name})
            self._trunk_file.forget()
        self._startup_time = snapshot.startup_time
        await self._trunk_file.settle()
        await self._set_global_variables()
        await self.phones.settle()
        if self.on_snapshot is not None:
            await self.on_snapshot(snapshot)

    async def announce(self) -> None:
        """Have the dialplan ask this controller, if the node can be told now."""
        if self.available:
            with contextlib.suppress(ari.AriError):
                await self._set_global_variables()

    async def _set_global_variables(self) -> None:
        for name, value in self.global_variables.items():
            try:
                await self.ari.asterisk.set_global_variable(name, value)
            except ari.ResponseError as error:
                # The dialplan falls back; calls go on without it.
                log.warning(
                    "A variable of the dialplan can't be set",
                    extra={"node": self.name, "variable": name, "error": str(error)},
                )

    async def _give_up_when_lost(self) -> None:
        """A node that stays away has lost its calls, as far as anyone can tell.

        Goes on until the node is given up for good, whatever happens: without it, it gets no calls again.
        """
        while True:
            await self.ari.wait_lost()
            self._plays.clear()
            self._proofs.forget()
            try:
                is_back = await self._is_back_in_time()
            except TimeoutError:
                log.error("Node stays away, its calls are given up", extra={"node": self.name})
                self.given_up = True
                self.ari.tell_all_gone()
                await self._give_up_calls()
                is_back = await self._is_back()
            if not is_back:
                return
            self.given_up = False
            await self._prove()

    async def _give_up_calls(self) -> None:
        """Have `on_lost` done, unless the node is back before: then `on_snapshot` sees to its calls."""
        while True:
            try:
                await self.on_lost()
                return
            except Exception:
                log.exception(
                    "Calls of a node that stays away can't be given up; trying again",
                    extra={"node": self.name},
                )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GIVE_UP_AGAIN):
                    await self._is_back()
                    return

    async def _prove(self) -> None:
        """Have the node show that it plays prompts, while it is there."""
        while self.probe is not None and self.ari.ready and not self._plays.is_set():
            try:
                await self.check_plays(*self.probe)
                await self.catch_up()
                # At once: what becomes usable from here on it is asked for.
                if self.ari.ready:
                    self._plays.set()
                    log.info("Node plays prompts and gets calls", extra={"node": self.name})
            except Exception as error:
                log.error(
                    "Node gets no calls, it can't play prompts",
                    exc_info=None if isinstance(error, FleetError) else error,
                    extra={"node": self.name, "error": str(error)},
                )
                await asyncio.sleep(_PROBE_AGAIN)

    async def _is_back_in_time(self) -> bool:
        """The same as `_is_back`. Raises TimeoutError when it has been away for too long.

        It isn't away while Asterisk has its calls and waits for us, whose database may be.
        """
        loop = asyncio.get_running_loop()
        seen_at = loop.time()
        while loop.time() - seen_at < _LOST_AFTER:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(_LOOK_EVERY, _LOST_AFTER)):
                    return await self._is_back()
            seen_at = max(seen_at, loop.time() if self._waits_for_us else self._held_up_at)
        raise TimeoutError

    @property
    def _waits_for_us(self) -> bool:
        may_act = self._permission is None or self._permission.certain
        return self._settling or (self.ari.connected and not may_act)

    async def _is_back(self) -> bool:
        """Wait until the node is back; False: it is given up for good, and so are its calls."""
        try:
            await self.ari.wait_ready()
        except Exception:
            self.ari.tell_all_gone()
            return False
        return True

    async def __aenter__(self) -> Self:
        await self.ari.__aenter__()
        self._running = [
            watched(self._give_up_when_lost(), f"watch {self.name}"),
            watched(self._trunk_file.run(), f"bring trunks of {self.name} into force"),
            watched(self.trunks.run(), f"watch trunks of {self.name}"),
            watched(self.phones.run(), f"end phones of {self.name}"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.phones.close()
        await self._proofs.close()
        for task in self._running:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        await self.ari.__aexit__(kind, error, trace)

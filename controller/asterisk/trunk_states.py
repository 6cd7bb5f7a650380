"""How the trunks of a node are: asked of Asterisk every few seconds, and kept in memory."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from controller import ari
from controller.asterisk.ami import ami_session
from controller.asterisk.errors import FleetError
from controller.asterisk.routing import TrunkConfiguration, Way, registration_of
from controller.settings import AsteriskSettings

log = logging.getLogger(__name__)

_INTERVAL: Final = 5.0
"""Seconds."""


@dataclass(frozen=True)
class TrunkState:
    """How a trunk is, as far as the node knows."""

    name: str
    reachable: bool | None = None
    """Whether it answers OPTIONS; None when it isn't asked, or Asterisk does not know yet."""
    registered: bool | None = None
    """None when the node does not register there, or Asterisk does not know yet."""
    registration: str | None = None
    """In Asterisk's words, such as Registered, Unregistered or Rejected."""

    @property
    def works(self) -> bool:
        """Nothing is known against it."""
        return self.reachable is not False and self.registered is not False


class TrunkStates:
    """The states of one node's trunks; `run` keeps them up to date."""

    def __init__(
        self, settings: AsteriskSettings, asterisk: ari.Client, *, interval: float = _INTERVAL
    ) -> None:
        self._settings = settings
        self._ari = asterisk
        self._interval = interval
        self._trunks: list[TrunkConfiguration] = []
        self._states: dict[str, TrunkState] = {}
        self._changed = asyncio.Event()

    def watch(self, trunks: Iterable[TrunkConfiguration]) -> None:
        """These are the trunks from now on."""
        self._trunks = list(trunks)
        self._states = {trunk.name: self.state(trunk.name) for trunk in self._trunks}
        self._changed.set()

    def state(self, name: str) -> TrunkState:
        """How a trunk is."""
        return self._states.get(name) or TrunkState(name)

    def all(self) -> list[TrunkState]:
        """How all are, by name."""
        return [self.state(name) for name in sorted(self._states)]

    def working_first(self, ways: tuple[Way, ...]) -> tuple[Way, ...]:
        """The same ways; those over trunks that don't work come last, for want of better ones."""
        if len(ways) == 1:
            return ways
        return tuple(sorted(ways, key=lambda way: way.trunk is not None and not self.state(way.trunk).works))

    async def run(self) -> None:
        """Keep the states up to date until cancelled; without trunks nothing is asked."""
        while True:
            self._changed.clear()
            try:
                await self.refresh()
            except (FleetError, ari.AriError) as error:
                self._take({})
                log.debug("The states of trunks are not known", extra={"error": str(error)})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._changed.wait()

    async def refresh(self) -> None:
        """Ask Asterisk now. Raises FleetError, AriError."""
        trunks = list(self._trunks)
        registrations: dict[str, str] = {}
        if any(trunk.register for trunk in trunks):
            # ARI doesn't know of them.
            async with ami_session(self._settings) as ami:
                found = await ami.listed("PJSIPShowRegistrationsOutbound")
            # The credentials of each are listed too.
            registrations = {its["objectname"]: its["status"] for its in found if "status" in its}
        self._take(
            {
                trunk.name: TrunkState(
                    trunk.name,
                    await self._is_reachable(trunk) if trunk.qualify_seconds else None,
                    None if registration is None else registration == "Registered",
                    registration,
                )
                for trunk in trunks
                for registration in [registrations.get(registration_of(trunk.name))]
            }
        )

    async def _is_reachable(self, trunk: TrunkConfiguration) -> bool | None:
        try:
            endpoint = await self._ari.endpoints.get("PJSIP", trunk.name)
        except ari.NotFound:
            return None
        return {"online": True, "offline": False}.get(endpoint.state or "")

    def _take(self, states: Mapping[str, TrunkState]) -> None:
        for trunk in self._trunks:
            before, now = self.state(trunk.name), states.get(trunk.name, TrunkState(trunk.name))
            self._states[trunk.name] = now
            if before.works and not now.works:
                log.warning(
                    "A trunk does not work",
                    extra={
                        "trunk": now.name,
                        "reachable": now.reachable,
                        "registration": now.registration,
                    },
                )
            elif now.works and not before.works:
                log.info("A trunk works again", extra={"trunk": now.name})

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

_ENOUGH: Final = 3
"""Calls that failed in a row and speak against their trunk: one alone may be the number's fault."""

_REMEMBERED: Final = 30.0
"""Seconds for which they do after the last one; then it is tried again."""


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
        self._failures: dict[str, tuple[int, float]] = {}
        """How many calls in a row failed at a trunk, and when the last one did, in the loop's seconds."""
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

    def call_failed(self, name: str) -> None:
        """A call failed at a trunk, before anything rang."""
        count = self._failures.get(name, (0, 0.0))[0] + 1
        self._failures[name] = (count, asyncio.get_running_loop().time())
        if count == _ENOUGH:
            log.warning(
                "Calls over a trunk fail", extra={"node": self._settings.name, "trunk": name, "calls": count}
            )

    def call_got_through(self, name: str) -> None:
        """A trunk carried a call to where it rang, or to a person's answer."""
        count, _at = self._failures.pop(name, (0, 0.0))
        if count >= _ENOUGH:
            log.info(
                "Calls over a trunk get through again", extra={"node": self._settings.name, "trunk": name}
            )

    def failures(self, name: str) -> int:
        """How many calls in a row failed lately at a trunk; 0: not enough to speak against it."""
        count, at = self._failures.get(name, (0, 0.0))
        if count < _ENOUGH or asyncio.get_running_loop().time() - at >= _REMEMBERED:
            return 0
        return count

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

"""The trunks as Asterisk has them: a file of its configuration, which it reads again on our word."""

import asyncio
import logging
from collections.abc import Iterable
from random import Random

from controller.asterisk.ami import ami_session
from controller.asterisk.configuration import write_private
from controller.asterisk.errors import FleetError
from controller.asterisk.routing import TrunkConfiguration, render_trunks
from controller.settings import AsteriskSettings
from controller.store.errors import TurnLost
from controller.store.turns import Turn, alone

log = logging.getLogger(__name__)

TRUNKS_FILE = "pjsip_trunks.conf"

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""Seconds."""


def pause(failures: int, random: Random) -> float:
    """Seconds until the next attempt, after as many failures in a row before this one."""
    return min(_FIRST_PAUSE * 2.0 ** min(failures, 10), _LONGEST_PAUSE) * random.uniform(0.5, 1)


class TrunkFile:
    """One node's file of trunks; `run` tries again, until it succeeds, what failed."""

    def __init__(self, settings: AsteriskSettings, random: Random | None = None, turn: Turn = alone) -> None:
        self._settings = settings
        self._turn = turn
        self._random = random or Random()  # noqa: S311
        self._wanted: str | None = None
        self._in_force: str | None = None
        self._busy = asyncio.Lock()
        self._failed = asyncio.Event()
        self._failures, self._retry_in = 0, 0.0

    @property
    def in_force(self) -> bool:
        """Asterisk has the trunks that were put last."""
        return self._wanted == self._in_force

    async def put(self, trunks: Iterable[TrunkConfiguration]) -> None:
        """These are the trunks from now on; what fails is tried again later."""
        self._wanted = render_trunks(trunks)
        if not self._failed.is_set():
            # Else whoever declares something would wait for an AMI that doesn't answer anyway.
            await self.settle()

    def forget(self) -> None:
        """Asterisk was restarted: what it has no file of ours for it may not have any more."""
        if self._settings.prompt_url:
            self._in_force = None

    async def settle(self) -> None:
        """Bring into force what is not, with one attempt."""
        async with self._busy:
            if self.in_force:
                return
            wanted = self._wanted
            assert wanted is not None
            self._in_force = None
            try:
                if self._settings.prompt_url:
                    await self._have_written(wanted)
                else:
                    await self._write(wanted)
                    # Also what was there already: who wrote it may have gone away before it had it read.
                    async with ami_session(self._settings) as ami:
                        await ami.reload("res_pjsip.so")
            except (FleetError, TurnLost) as error:
                self._retry_in = pause(self._failures, self._random)
                self._failures += 1
                self._failed.set()
                log.warning(
                    "Trunks are not in force",
                    extra={
                        "node": self._settings.name,
                        "error": str(error),
                        "retry_in": round(self._retry_in, 1),
                    },
                )
                return
            except BaseException:
                # Whoever asked has gone away; the trunks are declared all the same.
                self._failed.set()
                raise
            self._in_force = wanted
            if self._failed.is_set():
                self._failures, self._retry_in = 0, 0.0
                self._failed.clear()
                log.info("Trunks are in force", extra={"node": self._settings.name})

    async def run(self) -> None:
        """Try again what failed, until cancelled."""
        while True:
            await self._failed.wait()
            await asyncio.sleep(self._retry_in)
            await self.settle()

    async def _write(self, text: str) -> None:
        path = self._settings.etc_dir / TRUNKS_FILE
        try:
            await asyncio.to_thread(write_private, path, text)
        except OSError as error:
            raise FleetError(f"{path} can't be written: {error.strerror}") from error

    async def _have_written(self, text: str) -> None:
        """Have Asterisk write and read a file of its own: it shares none with us.

        It writes it in many steps. Another controller that did so meanwhile would leave sections doubled, and
        one that had it read meanwhile would take trunks away.
        """
        async with (
            self._turn(f"trunks of {self._settings.name}") as still_ours,
            ami_session(self._settings) as ami,
        ):
            await ami.replace_file(TRUNKS_FILE, text, still_ours)
            await still_ours()
            await ami.reload("res_pjsip.so")

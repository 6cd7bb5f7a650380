"""What is kept, as a running part: gathered as it comes, put away when a leg is over, found by its call."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from sqlalchemy.exc import SQLAlchemyError

from controller.capture.gathering import Gathering
from controller.capture.hep import Packet
from controller.capture.holder import held_port
from controller.capture.leg_capture import LegCapture
from controller.capture.listener import Listener, listening
from controller.clock import Clock
from controller.settings import CaptureSettings
from controller.store import call_captures
from controller.store.database import Database
from controller.store.side_file import remove, side_file

log = logging.getLogger(__name__)

_PAUSE: Final = 1.0
"""Seconds between two looks at what is over."""
_BATCH: Final = 200
_PURGE: Final = 60.0
"""Seconds between two looks at what is to go."""

Missing = Literal["off", "shed", "none"]


@dataclass(frozen=True)
class CallCapture:
    """What there is of a call's SIP and RTCP, in the order in which its dialogs began."""

    legs: list[LegCapture]
    missing: Missing | None
    """Why there is nothing, or not everything; None: nothing is known to be missing."""


class Captures:
    """What `opened_captures` gives."""

    def __init__(self, settings: CaptureSettings, file: Database | None, clock: Clock) -> None:
        self._settings = settings
        self._file = file
        self._clock = clock
        self._gathering = Gathering(settings.legs_per_second, time.monotonic)
        self._purged_at = -_PURGE
        self.listener: Listener | None = None

    def hear(self, packet: Packet) -> None:
        """Take in what a node sent."""
        self._gathering.take(packet)

    def claim(self, channel_id: str, sip_id: str) -> None:
        """This channel, which is a leg's, has this Call-ID; "" has none."""
        call_id, _, leg = channel_id.rpartition(".")
        if sip_id and self._settings.enabled:
            self._gathering.claim(call_id, leg, sip_id)

    async def of_call(self, call_id: str) -> CallCapture:
        """What there is of a call."""
        legs = self._gathering.of_call(call_id)
        here = {leg.sip_id for leg in legs}
        legs = [leg for leg in await self._kept(call_id) if leg.sip_id not in here] + legs
        legs = sorted((leg for leg in legs if leg.messages), key=lambda leg: leg.messages[0].at)
        if self._gathering.was_shed(call_id):
            return CallCapture(legs, "shed")
        if legs:
            return CallCapture(legs, None)
        return CallCapture([], "none" if self._settings.enabled else "off")

    async def run(self) -> None:
        """Put away what is over, and drop what is old, until cancelled."""
        if self._file is None:
            return
        while True:
            try:
                await self._put_away(list(self._gathering.finished()))
                if time.monotonic() - self._purged_at >= _PURGE:
                    self._purged_at = time.monotonic()
                    await self.purge()
            except SQLAlchemyError as error:
                log.warning("Captures can't be put away now", extra={"reason": type(error).__name__})
            await asyncio.sleep(_PAUSE)

    async def close(self) -> None:
        """Put away all that is here."""
        with contextlib.suppress(SQLAlchemyError):
            await self._put_away(self._gathering.all())

    async def purge(self) -> None:
        """Drop what is too old or too much."""
        if self._file is None:
            return
        before = self._clock.now().timestamp() - self._settings.keep_days * 86400
        most = self._settings.megabytes * 1_000_000
        forget = partial(call_captures.forget, before=before, most_bytes=most)
        while await self._file.write(forget):
            pass

    async def _kept(self, call_id: str) -> list[LegCapture]:
        if self._file is None:
            return []
        try:
            contents = await self._file.read(partial(call_captures.of_call, call_id=call_id))
            return [LegCapture.unpacked(content) for content in contents]
        except (SQLAlchemyError, ValueError) as error:
            # Call details are told without it.
            log.warning("Captures can't be read", extra={"call": call_id, "reason": type(error).__name__})
            return []

    async def _put_away(self, legs: list[LegCapture]) -> None:
        if self._file is None:
            return
        for begin in range(0, len(legs), _BATCH):
            batch = legs[begin : begin + _BATCH]
            # Compressing takes about 0.1 ms a leg: in the thread that writes it holds up nobody.
            await self._file.write(lambda session, batch=batch: call_captures.add(session, _rows(batch)))  # type: ignore[misc]
            for leg in batch:
                self._gathering.drop(leg)


def _rows(legs: list[LegCapture]) -> list[tuple[float, str, bytes]]:
    return [(leg.last_at, leg.call_id, leg.packed()) for leg in legs if leg.messages]


@asynccontextmanager
async def opened_captures(settings: CaptureSettings, path: Path, clock: Clock) -> AsyncIterator[Captures]:
    """What this file keeps, and what listens for more. Raises OSError when the port can't be had."""
    if not settings.enabled:
        async with lent_captures(settings, path, clock) as captures:
            yield captures
        return
    if not await _is_usable(path):
        remove(path)
    async with side_file(path) as file:
        await file.write(call_captures.LAYOUT.create)
        captures = Captures(settings, file, clock)
        async with listening(settings.address, settings.port, captures.hear) as captures.listener:
            with held_port(path, captures.listener.address[1]):
                yield captures
        await captures.close()


@asynccontextmanager
async def lent_captures(settings: CaptureSettings, path: Path, clock: Clock) -> AsyncIterator[Captures]:
    """What this file keeps, to read while another process may write them."""
    if not path.exists() or not await _is_usable(path):
        yield Captures(settings, None, clock)
        return
    async with side_file(path) as file:
        await file.write(call_captures.LAYOUT.create)
        yield Captures(settings, file, clock)


async def _is_usable(path: Path) -> bool:
    if not path.exists():
        return True
    return await call_captures.LAYOUT.look(path, partial(call_captures.of_call, call_id="")) is not None

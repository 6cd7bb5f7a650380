"""The socket that Asterisk sends to. It never takes more of the event loop than a little at a time.

What comes is read in groups: being woken for a datagram costs more than reading it. When more comes in a
second than is looked at, the rest of that second is left to the kernel, which drops it: calls go first.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from controller.capture.hep import HepError, Packet, parse

log = logging.getLogger(__name__)

MOST_A_SECOND: Final = 3000
"""Datagrams that are looked at."""
_AT_ONCE: Final = 128
_GATHERING: Final = 0.025
"""Seconds from the first datagram of a group to its reading; the kernel keeps them meanwhile."""
_LARGEST: Final = 65535
_BUFFER: Final = 1 << 20
"""Bytes that the kernel keeps while the loop is busy, as far as it allows."""
_COMPLAINTS: Final = 60.0
"""Seconds from one line in the log about what is no use to the next."""


class Listener:
    """Reads datagrams and hands on the packets in them."""

    def __init__(self, heard: Callable[[Packet], None], most: int = MOST_A_SECOND) -> None:
        self._heard = heard
        self._most = most
        self._socket: socket.socket | None = None
        self._second = 0.0
        self._read = 0
        self._waiting: asyncio.TimerHandle | None = None
        self._complained_at = -_COMPLAINTS
        self.unusable = 0
        """Datagrams that were no packet."""
        self.pauses = 0
        """Seconds of which not everything was looked at."""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        assert self._socket is not None
        host, port, *_ = self._socket.getsockname()
        return host, port

    def open(self, host: str, port: int) -> None:
        """Listen. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            made.bind((host, port))
        except OSError:
            made.close()
            raise
        self._socket = made
        asyncio.get_running_loop().add_reader(made, self._readable)

    def close(self) -> None:
        """Listen no more."""
        if self._waiting is not None:
            self._waiting.cancel()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _readable(self) -> None:
        self._look_away_until(asyncio.get_running_loop().time() + _GATHERING, self._read_group)

    def _read_group(self) -> None:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        if loop.time() - self._second >= 1:
            self._second, self._read = loop.time(), 0
        for _ in range(_AT_ONCE):
            if self._read >= self._most:
                self._pause()
                return
            try:
                datagram = self._socket.recv(_LARGEST)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self._complain("Captures can't be read", str(error))
                break
            self._read += 1
            self._take(datagram)
        self._resume()

    def _take(self, datagram: bytes) -> None:
        try:
            packet = parse(datagram)
        except HepError as error:
            self.unusable += 1
            self._complain("Something that is no HEPv3 of Asterisk comes to capture.port", str(error))
            return
        self._heard(packet)

    def _pause(self) -> None:
        self.pauses += 1
        self._complain("More SIP and RTCP comes than is looked at; the rest is left out", f"{self._most}/s")
        self._look_away_until(self._second + 1, self._resume)

    def _look_away_until(self, moment: float, then: Callable[[], None]) -> None:
        assert self._socket is not None
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        self._waiting = loop.call_at(moment, then)

    def _resume(self) -> None:
        self._waiting = None
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket, self._readable)

    def _complain(self, what: str, why: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._complained_at >= _COMPLAINTS:
            self._complained_at = now
            log.warning(what, extra={"reason": why})


@asynccontextmanager
async def listening(host: str, port: int, heard: Callable[[Packet], None]) -> AsyncIterator[Listener]:
    """A listener for as long as the block lasts. Raises OSError."""
    listener = Listener(heard)
    listener.open(host, port)
    try:
        yield listener
    finally:
        with contextlib.suppress(OSError):
            listener.close()

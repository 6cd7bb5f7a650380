"""Ears of a far end: when the first sound of each call arrives that a callee can hear."""

import asyncio
import bisect
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.far_ends import FarEnds
from testbed.listening import decode_alaw

_RTP_HEADER = 12
_ALL_CODES = bytes(range(256))
_FAINT = bytes(
    code for code, size in zip(_ALL_CODES, decode_alaw(_ALL_CODES), strict=True) if abs(size) < 0.01
)
"""A-law codes of samples below -40 dBFS, which is faint beside speech: a packet of them counts as silent."""

_AUDIO_PORT = re.compile(r"^m=audio (\d+)", re.MULTILINE)


class Listener(asyncio.DatagramProtocol):
    """Takes A-law over RTP on one port, from many calls at once."""

    def __init__(self) -> None:
        self.port = 0
        self._heard: dict[int, list[float]] = defaultdict(list)

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator["Listener"]:
        """Listen on a free port until the end of the block."""
        transport, listener = await asyncio.get_running_loop().create_datagram_endpoint(cls, ("127.0.0.1", 0))
        listener.port = transport.get_extra_info("sockname")[1]
        try:
            yield listener
        finally:
            transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        now = time.time()
        if data[_RTP_HEADER:].translate(None, delete=_FAINT):
            self._heard[addr[1]].append(now)

    def answer_to_sound(self, phones: FarEnds, since: float) -> list[float]:
        """Seconds from the 200 OK of each call (sent after `since`, wall clock) to its first audible packet.

        Calls that were answered and not heard are missing.
        """
        ports: dict[str, int] = {}
        delays = []
        for traced, message in phones.messages(since):
            call = message.header("Call-ID")
            offer = _AUDIO_PORT.search(traced.text)
            if traced.received and message.opens_dialog and offer:
                ports[call] = int(offer[1])
            elif not traced.received and call in ports and "INVITE" in message.header("CSeq"):
                heard = self._heard[ports.pop(call)]
                # A port may have had an earlier call.
                if (first := bisect.bisect(heard, traced.at)) < len(heard):
                    delays.append(heard[first] - traced.at)
        return delays

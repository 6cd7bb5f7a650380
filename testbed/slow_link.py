"""A TCP link that can be made to stop in the middle of an answer, as a network does that goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class SlowLink:
    """A relay to `host`:`port`. Answers to requests with `held` in them stop after `passed` bytes."""

    host: str
    port: int
    held: bytes
    passed: int
    own_port: int = 0
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """An answer has been stopped."""
    _relays: set[asyncio.Task[None]] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, host: str, port: int, held: bytes, passed: int, own_port: int = 0
    ) -> AsyncIterator["SlowLink"]:
        """Relay on `own_port` (0: a free one) of 127.0.0.1 until the end of the block."""
        link = cls(host, port, held, passed)
        server = await asyncio.start_server(link._accept, "127.0.0.1", own_port)
        link.own_port = server.sockets[0].getsockname()[1]
        try:
            yield link
        finally:
            server.close()
            for relay in link._relays:
                relay.cancel()
            await asyncio.gather(*link._relays, return_exceptions=True)
            await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(lambda _relay: writer.close())

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until either side closes."""
        there, back = await asyncio.open_connection(self.host, self.port)
        try:
            first = await reader.read(65536)
            back.write(first)
            limit = self.passed if self.held in first else None
            ways = [
                asyncio.create_task(self._copy(reader, back)),
                asyncio.create_task(self._copy(there, writer, limit)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            back.close()

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, limit: int | None = None
    ) -> None:
        copied = 0
        while piece := await source.read(65536):
            if limit is not None and copied + len(piece) > limit:
                target.write(piece[: limit - copied])
                self.stopped.set()
                await asyncio.Event().wait()
            target.write(piece)
            await target.drain()
            copied += len(piece)

"""The network between controller and Asterisk: it can fall silent without closing anything."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Link:
    """A TCP relay on a free port of 127.0.0.1; `hold` stops everything in it."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self.port = 0
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[None]] = set()

    @classmethod
    @asynccontextmanager
    async def open(cls, host: str, port: int) -> AsyncIterator["Link"]:
        """Relay until the end of the block."""
        link = cls(host, port)
        server = await asyncio.start_server(link._accept, "127.0.0.1", 0)
        link.port = server.sockets[0].getsockname()[1]
        try:
            yield link
        finally:
            server.close()
            for relay in [*link._relays]:
                relay.cancel()
            await asyncio.gather(*link._relays, return_exceptions=True)
            await server.wait_closed()

    def hold(self) -> None:
        """From now on nothing passes, not even the news that a side has closed."""
        self._flowing.clear()

    def release(self, *, lost: bool = False) -> None:
        """Let everything pass again: what was held with it, unless that is `lost` with its connections."""
        if lost:
            for writer in [*self._writers]:
                writer.transport.abort()
            for relay in [*self._relays]:
                relay.cancel()
        self._flowing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.create_task(self._relay(reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)
        # Not the relay's to do: one that is cancelled before its first step does nothing at all.
        self._writers.add(writer)
        relay.add_done_callback(lambda _relay: self._close(writer))

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._flowing.wait()
        try:
            there, back = await asyncio.open_connection(*self._there)
        except OSError:
            return
        self._writers.add(back)
        ways = [
            asyncio.create_task(self._copy(reader, back)),
            asyncio.create_task(self._copy(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            self._close(back)
            await asyncio.gather(*ways, return_exceptions=True)

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await source.read(65536):
                await self._flowing.wait()
                target.write(piece)
                await target.drain()
        await self._flowing.wait()

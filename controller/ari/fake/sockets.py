"""One WebSocket of a fake Asterisk, seen from its side."""

import asyncio

from aiohttp import web


class FakeSocket:
    """What is to be sent waits in a queue of its own, so that nothing else ever waits for the network."""

    def __init__(
        self,
        response: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        applications: list[str],
    ) -> None:
        self.applications = applications
        self._response = response
        self._transport = transport
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._closed = False

    def send(self, text: str) -> None:
        """Have a text frame sent, in order."""
        if not self._closed:
            self._outbox.put_nowait(text)

    async def write(self, speaking: asyncio.Event) -> None:
        """Send what waits, while `speaking`."""
        while True:
            text = await self._outbox.get()
            await speaking.wait()
            try:
                await self._response.send_str(text)
            except ConnectionError:
                return

    def close(self) -> None:
        """Nothing more is sent."""
        self._closed = True

    def abort(self) -> None:
        """Cut the connection."""
        if self._transport is not None:
            self._transport.abort()

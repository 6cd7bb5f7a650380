"""A speech server for tests: the OpenAI-compatible call, answered at once with a sound of the text's own."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self

from aiohttp import web

from controller.settings import SpeechSettings
from testbed.sounds import distinct_prompt


class SpeechServer:
    """Says every text as noise that no other text sounds like; `seconds` of it."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.said: list[str] = []
        self.asked = asyncio.Event()
        """Set when a text has come."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.fails = False
        self._seconds = seconds
        self._url = ""

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator[Self]:
        """A server on loopback until the end of the block."""
        server = cls()
        app = web.Application()
        app.router.add_post("/v1/audio/speech", server._speak)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            server._url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield server
        finally:
            server.may_answer.set()
            await runner.cleanup()

    @property
    def settings(self) -> SpeechSettings:
        """What makes a controller use this server."""
        return SpeechSettings(
            engine="http",
            http_url=self._url,
            http_model="noise",
            http_voice_zh="zh",
            http_voice_en="en",
            parallel=4,
        )

    async def _speak(self, request: web.Request) -> web.Response:
        text = (await request.json())["input"]
        self.said.append(text)
        self.asked.set()
        await self.may_answer.wait()
        if self.fails:
            return web.json_response({"error": "out of order"}, status=500)
        sound = distinct_prompt(zlib.crc32(text.encode()), self._seconds)
        return web.Response(body=sound, content_type="audio/wav")

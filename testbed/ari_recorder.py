"""Stands between a controller and an Asterisk, and takes down all that they say over ARI's WebSocket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web


@dataclass(frozen=True)
class Frame:
    """One text frame; `at` in seconds of the loop's clock."""

    at: float
    from_asterisk: bool
    text: str


class AriRecorder:
    """What was said so far, and where controllers find it."""

    def __init__(self, behind: str) -> None:
        self.frames: list[Frame] = []
        self.url = ""
        self._behind = behind

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on; a WebSocket for as long as both sides keep it."""
        headers = {"Authorization": request.headers.get("Authorization", "")}
        async with aiohttp.ClientSession(self._behind, headers=headers) as http:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._join(request, http)
            async with http.request(
                request.method, request.rel_url, data=await request.read(), allow_redirects=False
            ) as answer:
                return web.Response(
                    status=answer.status, body=await answer.read(), content_type=answer.content_type
                )

    async def _join(self, request: web.Request, http: aiohttp.ClientSession) -> web.StreamResponse:
        async with http.ws_connect(str(request.rel_url)) as asterisk:
            controller = web.WebSocketResponse()
            await controller.prepare(request)

            async def asked() -> None:
                async for message in controller:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self._note(False, message.data)
                        await asterisk.send_str(message.data)

            async def told() -> None:
                async for message in asterisk:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self._note(True, message.data)
                        await controller.send_str(message.data)

            directions = [asyncio.ensure_future(asked()), asyncio.ensure_future(told())]
            try:
                await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for direction in directions:
                    direction.cancel()
                await asyncio.gather(*directions, return_exceptions=True)
            return controller

    def _note(self, from_asterisk: bool, text: str) -> None:
        self.frames.append(Frame(asyncio.get_running_loop().time(), from_asterisk, text))


@asynccontextmanager
async def recording_ari(behind: str) -> AsyncIterator[AriRecorder]:
    """A recorder in front of the Asterisk at this address, until the end of the block."""
    recorder = AriRecorder(behind)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", recorder.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        recorder.url = f"http://{host}:{port}"
        yield recorder
    finally:
        await runner.cleanup()

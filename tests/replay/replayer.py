"""An Asterisk that says what one said before: to what is asked, and as long after it."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import WSMsgType, web

from controller.ari.connection import Address
from replay.story import CALL, Step, Story, path_of

_PATIENCE = 60.0
"""Seconds after which what was asked for when it was recorded is not waited for any more."""
_AROUND: dict[tuple[str, str], Any] = {
    ("GET", "asterisk/info"): {
        "status": {"startup_time": "2026-11-26T08:00:00.000+0000"},
        "system": {"version": "22"},
    },
    ("GET", "channels"): [],
    ("GET", "bridges"): [],
}
"""What is asked of any Asterisk, whatever it does."""


_LOOK = "/rtp_statistics"
"""Whether sound comes is asked more often than when the calls were recorded; it changes nothing."""


class Replay:
    """`deviations` are requests that were made then and not now, or now and not then."""

    def __init__(self, story: Story) -> None:
        self.deviations: list[str] = []
        self._story = story
        self._call = ""
        self._asked: defaultdict[tuple[str, str], deque[dict[str, Any]]] = defaultdict(deque)
        self._news = asyncio.Event()
        self._telling: asyncio.Task[None] | None = None
        self.address = Address("", "replay", "replay")

    async def told(self) -> None:
        """Wait until everything has been said."""
        assert self._telling is not None, "nothing was asked for"
        await self._telling

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The WebSocket."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._take(socket, json.loads(message.data))
        return socket

    async def _take(self, socket: web.WebSocketResponse, asked: dict[str, Any]) -> None:
        path, method = path_of(asked["uri"]), asked["method"]
        if path.startswith("events/user/"):
            app = next(its["value"] for its in asked["query_strings"] if its["name"] == "application")
            await _answer(socket, asked, 204, "")
            event = {"type": "ChannelUserevent", "eventname": path.rsplit("/", 1)[1], "application": app}
            await socket.send_str(json.dumps({**event, "timestamp": "", "userevent": {}}))
            return
        if (not self._call and path == "channels/create") or (path.startswith("channels/") and ".a" in path):
            given = {its["name"]: its["value"] for its in asked["query_strings"]}
            self._call = self._call or given.get("channelId", path.split("/")[1]).removesuffix(".a")
        if self._call and (path == "channels/create" or self._call in path):
            self._asked[method, path.replace(self._call, CALL)].append(asked)
            self._news.set()
            if self._telling is None:
                self._telling = asyncio.create_task(self._tell(socket))
            return
        body = _AROUND.get((method, path))
        await _answer(
            socket, asked, 200 if body is not None else 204, "" if body is None else json.dumps(body)
        )

    async def _tell(self, socket: web.WebSocketResponse) -> None:
        now: dict[int, dict[str, Any]] = {}
        before = 0.0
        for step in self._story.steps:
            if step.kind == "ask":
                await self._wait_for(step, now)
            else:
                await asyncio.sleep(max(0.0, step.at - before))
                await self._say(socket, step, now)
            before = step.at
        # What is asked for beyond that, as after a change of the code, is not there.
        while True:
            for (method, path), waiting in self._asked.items():
                while waiting:
                    if not path.endswith(_LOOK):
                        self.deviations.append(f"asked now alone: {method} {path}")
                    await _answer(socket, waiting.popleft(), 404, '{"message":"not in the recording"}')
            self._news.clear()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._news.wait()
            except TimeoutError:
                return

    async def _wait_for(self, step: Step, now: dict[int, dict[str, Any]]) -> None:
        waiting = self._asked[step.method, step.path]
        try:
            async with asyncio.timeout(_PATIENCE):
                while not waiting:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self.deviations.append(f"asked then alone: {step.method} {step.path}")
        else:
            now[step.serial] = waiting.popleft()

    async def _say(self, socket: web.WebSocketResponse, step: Step, now: dict[int, dict[str, Any]]) -> None:
        if step.kind == "event":
            await socket.send_str(json.dumps(step.event).replace(CALL, self._call))
        elif step.serial in now:
            await _answer(socket, now[step.serial], step.status, step.body.replace(CALL, self._call))


async def _answer(socket: web.WebSocketResponse, asked: dict[str, Any], status: int, body: str) -> None:
    answer = {
        "type": "RESTResponse",
        "transaction_id": asked["transaction_id"],
        "request_id": asked["request_id"],
        "status_code": status,
        "reason_phrase": "",
        "uri": asked["uri"],
        "content_type": "application/json",
        "message_body": body,
    }
    await socket.send_str(json.dumps(answer))


@asynccontextmanager
async def replaying(story: Story) -> AsyncIterator[Replay]:
    """An Asterisk that tells this story, once a controller has connected."""
    replay = Replay(story)
    app = web.Application()
    app.router.add_get("/ari/events", replay.serve)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        replay.address = Address(f"http://{host}:{port}", "replay", "replay")
        yield replay
    finally:
        await runner.cleanup()

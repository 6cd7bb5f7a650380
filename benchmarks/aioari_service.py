"""What a user would write instead: a small notification service on `aioari`, the usual way with that client.

`aioari_service.py ARI_URL USER PASSWORD MEDIA` says its address and runs until its input ends. It takes
`{"calleeNbr": ..., "statusUrl": ...}`, calls, plays the prompt, hangs up, and tells what happens: callout,
answer and disconnect, in that order. It knows no customers, keeps nothing, and when its socket is lost it is
silent.

It runs in an environment of its own (see `other_client`), and imports nothing of the product.
"""

import asyncio
import sys
import uuid
from typing import Any

import aioari
import aiohttp
from aiohttp import web

_APP = "notify"


class Call:
    """A call under way: its events, and what its customer is told."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.id = str(uuid.uuid4())
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._pushes: asyncio.Queue[str] = asyncio.Queue()
        self._url = url
        self._http = http

    def tell(self, event: str) -> None:
        self._pushes.put_nowait(event)

    async def push(self) -> None:
        """Tell the customer, in order, until the end of the call."""
        event = ""
        while event != "disconnect":
            event = await self._pushes.get()
            body = {"eventType": event, "statusInfo": {"sessionId": self.id, "stateCode": 0}}
            async with self._http.post(self._url, json=body) as answer:
                await answer.read()

    async def until(self, kind: str) -> bool:
        """Whether an event of this type comes before the end of the channel."""
        while True:
            event = await self.events.get()
            if event["type"] in (kind, "ChannelDestroyed"):
                return bool(event["type"] == kind)


class Service:
    """Takes requests, and has a task for each call."""

    def __init__(self, client: Any, http: aiohttp.ClientSession, media: str) -> None:
        self._client = client
        self._http = http
        self._media = media
        self._calls: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        call = Call(body["statusUrl"], self._http)
        self._calls[call.id] = call
        for work in (self._run(call, body["calleeNbr"]), call.push()):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return web.Response(
            text=f'{{"resultcode":"0","sessionId":"{call.id}"}}', content_type="application/json"
        )

    async def _run(self, call: Call, endpoint: str) -> None:
        channels = self._client.channels
        channel = await channels.originateWithId(
            channelId=call.id, endpoint=endpoint, app=_APP, formats="alaw"
        )
        call.tell("callout")
        if await call.until("StasisStart"):
            call.tell("answer")
            await channel.play(media=self._media)
            if await call.until("PlaybackFinished"):
                await channel.hangup()
                await call.until("ChannelDestroyed")
        call.tell("disconnect")
        del self._calls[call.id]

    def on_channel(self, _channel: Any, event: dict[str, Any]) -> None:
        self._hand_over(event["channel"]["id"], event)

    def on_playback(self, _playback: Any, event: dict[str, Any]) -> None:
        self._hand_over(event["playback"]["target_uri"].removeprefix("channel:"), event)

    def _hand_over(self, channel_id: str, event: dict[str, Any]) -> None:
        if channel_id in self._calls:
            self._calls[channel_id].events.put_nowait(event)


async def main() -> None:
    url, user, password, media = sys.argv[1:]
    client = await aioari.connect(url, user, password)
    async with aiohttp.ClientSession() as http:
        service = Service(client, http, media)
        client.on_channel_event("StasisStart", service.on_channel)
        client.on_channel_event("ChannelDestroyed", service.on_channel)
        client.on_playback_event("PlaybackFinished", service.on_playback)
        application = web.Application()
        application.router.add_post("/notify", service.take)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        running = asyncio.create_task(client.run(apps=_APP))
        print("http://{}:{}".format(*runner.addresses[0][:2]), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        running.cancel()
        await runner.cleanup()
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())

"""A bare ARI client for the tests of the fake: it shares no code with the client that ships."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from unit.ari.support import PHONE
from unit.support import soon

from controller.ari.fake import FakeAsterisk


class RawClient:
    """Frames out, frames in. `events` are all that came, in order."""

    def __init__(self, http: aiohttp.ClientSession, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.http = http
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.odd: list[Any] = []
        self._serial = itertools.count(1)
        self._answers: dict[str, asyncio.Future[tuple[int, Any]]] = {}
        self._news = asyncio.Event()
        self.over = asyncio.Event()
        """The socket was closed from the other side."""

    async def read(self) -> None:
        async for frame in self.socket:
            message = json.loads(frame.data)
            if message["type"] != "RESTResponse":
                self.events.append(message)
            elif message["request_id"] in self._answers:
                body = message.get("message_body")
                self._answers[message["request_id"]].set_result(
                    (message["status_code"], json.loads(body) if body else None)
                )
            else:
                self.odd.append((message["status_code"], json.loads(message["message_body"])["message"]))
            self._news.set()
        self.over.set()

    async def ask(self, method: str, uri: str, body: Any = None, **parameters: Any) -> tuple[int, Any]:
        """(status, body) of the answer."""
        return await soon(self.send(method, uri, body, **parameters))

    def send(
        self, method: str, uri: str, body: Any = None, **parameters: Any
    ) -> "asyncio.Future[tuple[int, Any]]":
        """Ask without waiting for the answer."""
        request_id = str(next(self._serial))
        answer: asyncio.Future[tuple[int, Any]] = asyncio.get_running_loop().create_future()
        self._answers[request_id] = answer
        request = {
            "type": "RESTRequest",
            "transaction_id": "t",
            "request_id": request_id,
            "method": method,
            "uri": uri,
            "query_strings": [{"name": name, "value": str(value)} for name, value in parameters.items()],
            "message_body": "" if body is None else json.dumps(body),
        }
        task = asyncio.ensure_future(self.socket.send_str(json.dumps(request)))
        answer.add_done_callback(lambda _: task)
        return answer

    async def has(self, count: int) -> list[dict[str, Any]]:
        """Wait until so many events came in all."""
        while len(self.events) < count:
            self._news.clear()
            await soon(self._news.wait())
        return self.events

    async def event(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait for an event with these fields."""
        while True:
            for event in self.events:
                if event["type"] == kind and all(event.get(name) == fields[name] for name in fields):
                    return event
            self._news.clear()
            await soon(self._news.wait())

    async def create(self, channel_id: str, variables: Any = None, endpoint: str = PHONE) -> None:
        """A channel that is in its application."""
        status, _body = await self.ask(
            "POST",
            "channels/create",
            {"variables": variables or {}},
            endpoint=endpoint,
            app="raw",
            channelId=channel_id,
        )
        assert status == 200
        while not any(
            event["type"] == "StasisStart" and event["channel"]["id"] == channel_id for event in self.events
        ):
            self._news.clear()
            await soon(self._news.wait())

    async def dialled(self, channel_id: str, **parameters: Any) -> None:
        """A channel that is in its application and was dialled."""
        await self.create(channel_id)
        assert await self.ask("POST", f"channels/{channel_id}/dial", **parameters) == (204, None)

    def types(self) -> list[str]:
        return [event["type"] for event in self.events]


@asynccontextmanager
async def raw_client(asterisk: FakeAsterisk, app: str = "raw") -> AsyncIterator[RawClient]:
    address = asterisk.address
    headers = {"Authorization": aiohttp.encode_basic_auth(address.user, address.password)}
    async with (
        aiohttp.ClientSession(address.url, headers=headers) as http,
        http.ws_connect("/ari/events", params={"app": app, "subscribeAll": "false"}) as socket,
    ):
        client = RawClient(http, socket)
        reading = asyncio.create_task(client.read())
        try:
            yield client
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

"""The least that ARI can do: notifications by a script without any product. aiohttp, REST over the WebSocket.

`ari_script.py ARI_URL USER PASSWORD MEDIA` calls each endpoint that comes as a line on its input, plays,
hangs up, and forgets. It ends with its input. It imports nothing of the product.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import aiohttp
import uvloop

_APP = "script"
_WANTED = ("StasisStart", "PlaybackFinished")


class Script:
    """Three requests a call: each of the first two is answered by the event that leads to the next."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, media: str) -> None:
        self._socket = socket
        self._media = media
        self._numbers = count()

    async def call(self, endpoints: AsyncIterator[bytes]) -> None:
        """Call each of these."""
        async for line in endpoints:
            await self._request("POST", "channels", endpoint=line.decode().strip(), app=_APP, formats="alaw")

    async def listen(self) -> None:
        """Go on with what has answered, and with what was played."""
        await self._request(
            "PUT", f"applications/{_APP}/eventFilter", {"allowed": [{"type": kind} for kind in _WANTED]}
        )
        async for message in self._socket:
            event = json.loads(message.data)
            if event["type"] == "StasisStart":
                await self._request("POST", f"channels/{event['channel']['id']}/play", media=self._media)
            elif event["type"] == "PlaybackFinished":
                channel = event["playback"]["target_uri"].removeprefix("channel:")
                await self._request("DELETE", f"channels/{channel}")

    async def _request(
        self, method: str, uri: str, body: dict[str, Any] | None = None, **parameters: str
    ) -> None:
        number = str(next(self._numbers))
        request: dict[str, Any] = {
            "type": "RESTRequest",
            "transaction_id": number,
            "request_id": number,
            "method": method,
            "uri": uri,
            "query_strings": [{"name": name, "value": value} for name, value in parameters.items()],
        }
        if body is not None:
            request |= {"content_type": "application/json", "message_body": json.dumps(body)}
        await self._socket.send_str(json.dumps(request))


async def main() -> None:
    url, user, password, media = sys.argv[1:]
    endpoints = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(endpoints), sys.stdin
    )
    async with (
        aiohttp.ClientSession(auth=aiohttp.BasicAuth(user, password)) as http,
        http.ws_connect(f"{url}/ari/events", params={"app": _APP, "subscribeAll": "false"}) as socket,
    ):
        script = Script(socket, media)
        listening = asyncio.create_task(script.listen())
        print("connected", flush=True)
        await script.call(endpoints)
        listening.cancel()


if __name__ == "__main__":
    uvloop.run(main())

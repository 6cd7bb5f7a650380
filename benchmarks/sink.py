"""A push receiver as cheap as can be: it counts and says 200, so that it takes little of the machine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import msgspec


class _StatusInfo(msgspec.Struct):
    stateCode: int = 0  # noqa: N815


class _Push(msgspec.Struct):
    """What is counted of a push; the rest is skipped."""

    eventType: str  # noqa: N815
    statusInfo: _StatusInfo | None = None  # noqa: N815
    feeLst: list[msgspec.Raw] = []  # noqa: N815


_DECODER = msgspec.json.Decoder(_Push)
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class PushSink:
    """What has arrived: status pushes, among them disconnects, those that tell of trouble, and CDRs."""

    def __init__(self) -> None:
        self.port = 0
        self.statuses = 0
        self.disconnects = 0
        self.abnormal = 0
        self.cdrs = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def count(self, body: bytes) -> None:
        push = _DECODER.decode(body)
        if push.eventType == "fee":
            self.cdrs += len(push.feeLst)
            return
        self.statuses += 1
        if push.eventType == "disconnect":
            self.disconnects += 1
            self.abnormal += push.statusInfo is None or push.statusInfo.stateCode != 0

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator["PushSink"]:
        sink = cls()
        server = await asyncio.get_running_loop().create_server(lambda: _Connection(sink), "127.0.0.1", 0)
        sink.port = server.sockets[0].getsockname()[1]
        try:
            yield sink
        finally:
            server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, sink: PushSink) -> None:
        self._sink = sink
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            at = head.index(b"content-length:") + 15
            length = int(head[at:].split(b"\r\n", 1)[0])
            if len(self._data) < end + 4 + length:
                return
            body = self._data[end + 4 : end + 4 + length]
            self._data = self._data[end + 4 + length :]
            self._sink.count(body)
            self._transport.write(_OK)

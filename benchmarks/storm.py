"""Requests that are refused, in a process of its own so that they cost the other harness nothing.

`python -m benchmarks.storm URL KEY SECRET KIND RATE SECONDS` prints as one JSON line how many were sent and
how many were refused as they should be. Kinds: `field` has a wrong field; `signature` a wrong signature, from
ever new addresses, so that none is locked out; `locked` a wrong signature, all from one address.
"""

import asyncio
import json
import random
import socket
import sys
import time
from collections.abc import Iterator
from itertools import count, repeat
from urllib.parse import urlsplit

from benchmarks.services import SHOWN
from testbed.client import CALLNOTIFY, aksk_headers

_REFUSALS = {"field": (b"1010002",), "signature": (b"1023006",), "locked": (b"1020176", b"1023006")}
_FROM_ONE_ADDRESS = 50
"""Requests of kind `signature` that one address sends."""
_TIMEOUT = 5.0
_TICK = 0.005
"""Seconds: requests are sent in bunches of so much time."""


def request(key: str, secret: str, kind: str) -> bytes:
    """One request; of a field at fault, or signed with another secret."""
    callee = "8613900001111" if kind == "field" else "+8613900001111"
    items = [{"notifyVoice": "prompt.wav"}]
    body = json.dumps({"displayNbr": SHOWN, "calleeNbr": callee, "playInfoList": items})
    signed = aksk_headers(key, secret if kind == "field" else f"not {secret}")
    headers = {"Host": "bench", "Content-Length": str(len(body)), **signed}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {CALLNOTIFY} HTTP/1.1\r\n{head}\r\n{body}".encode()


class Storm:
    """Sends at an even rate, whatever becomes of the answers, and counts refusals."""

    def __init__(self, url: str, requests: list[bytes], kind: str) -> None:
        address = urlsplit(url)
        self._address = (address.hostname, address.port)
        self._requests = requests
        self._signs = _REFUSALS[kind]
        self._sources = _sources(kind)
        self._waiting: set[socket.socket] = set()
        self.refused = 0

    async def run(self, rate: float) -> float:
        """Send everything; seconds that it took."""
        began, sent = time.perf_counter(), 0
        while sent < len(self._requests):
            due = min(int((time.perf_counter() - began) * rate), len(self._requests))
            for text in self._requests[sent:due]:
                self._send(text)
            sent = due
            await asyncio.sleep(_TICK)
        took = time.perf_counter() - began
        async with asyncio.timeout(_TIMEOUT):
            while self._waiting:  # noqa: ASYNC110 - the answers are counted by callbacks
                await asyncio.sleep(_TICK)
        return took

    def _send(self, text: bytes) -> None:
        connection = socket.socket()
        connection.settimeout(_TIMEOUT)
        connection.bind((next(self._sources), 0))
        connection.connect(self._address)
        connection.sendall(text)
        connection.setblocking(False)
        self._waiting.add(connection)
        asyncio.get_running_loop().add_reader(connection, self._answered, connection)

    def _answered(self, connection: socket.socket) -> None:
        try:
            answer = connection.recv(4096)
        except OSError:
            answer = b""
        asyncio.get_running_loop().remove_reader(connection)
        connection.close()
        self._waiting.discard(connection)
        self.refused += any(sign in answer for sign in self._signs)


def _sources(kind: str) -> Iterator[str]:
    """Addresses of loopback, one for each request."""
    match kind:
        case "field":
            yield from repeat("127.0.0.1")
        case "locked":
            yield from repeat("127.0.0.2")
    start = random.randrange(64, 224) << 16
    for number in count(start):
        yield from repeat(f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}", _FROM_ONE_ADDRESS)


async def main() -> None:
    url, key, secret, kind, rate, seconds = sys.argv[1:]
    number = int(float(rate) * float(seconds))
    storm = Storm(url, [request(key, secret, kind) for _ in range(number)], kind)
    took = await storm.run(float(rate))
    print(json.dumps({"sent": number, "refused": storm.refused, "rate": round(number / took, 1)}))


if __name__ == "__main__":
    asyncio.run(main())

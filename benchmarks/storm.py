"""Requests that are refused, in a process of its own so that they cost the other harness nothing.

`python -m benchmarks.storm URL KEY SECRET KIND RATE SECONDS` prints as one JSON line what became of them.
Kinds: `field` has a wrong field; `signature` a wrong signature, from ever new addresses, so that none is
locked out; `header` a proof that is one long word, from one address, and `locked` a wrong signature;
`page` and `health` ask for what anybody gets, which counts as `refused`;
`elsewhere` goes to a server within this process, which tells what the sender alone costs others on the
machine.
"""

import asyncio
import json
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from itertools import count, repeat
from typing import cast
from urllib.parse import urlsplit

import uvloop

from benchmarks.services import SHOWN
from testbed.client import CALLNOTIFY, aksk_headers

_REFUSALS = {
    "field": (b"1010002",),
    "signature": (b"1023006",),
    "header": (b"1023034",),
    "locked": (b"1020176", b"1023006"),
    "elsewhere": (b"1020176",),
    "page": (b"HTTP/1.1 200 OK",),
    "health": (b'"ready"',),
}
_PLAIN = {"page": "/console/login", "health": "/readyz"}
"""What anybody gets."""
_FROM_ONE_ADDRESS = 50
"""Requests of kind `signature` that one address sends."""
_LONG_WORD = 7900
"""Letters; the server takes 8190 a header."""
_TURNED_AWAY = b"1010010"
_LATE = 0.1
"""Seconds after which a refusal counts as delayed."""
_TIMEOUT = 5.0
_TICK, _BUNCH = 0.005, 40
"""Seconds between bunches of requests, and how many each has at most."""


def request(key: str, secret: str, kind: str) -> bytes:
    """One request; of a field at fault, or signed with another secret, or for what anybody gets."""
    if kind in _PLAIN:
        return f"GET {_PLAIN[kind]} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    callee = "8613900001111" if kind == "field" else "+8613900001111"
    items = [{"notifyVoice": "prompt.wav"}]
    body = json.dumps({"displayNbr": SHOWN, "calleeNbr": callee, "playInfoList": items})
    signed = aksk_headers(key, secret if kind == "field" else f"not {secret}")
    if kind == "header":
        signed["X-AKSK"] = f"UsernameToken {'x' * _LONG_WORD}"
    headers = {"Host": "bench", "Content-Length": str(len(body)), **signed}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {CALLNOTIFY} HTTP/1.1\r\n{head}\r\n{body}".encode()


class Storm:
    """Sends at an even rate, whatever becomes of the answers, and counts them.

    `refused` as the request deserves, some of them `late`; `turned_away` unread.
    """

    def __init__(self, url: str, requests: list[bytes], kind: str) -> None:
        address = urlsplit(url)
        self._address = (address.hostname, address.port)
        self._requests = requests
        self._signs = _REFUSALS[kind]
        self._sources = _sources(kind)
        self._waiting: dict[socket.socket, float] = {}
        self.sent = 0
        self.refused = 0
        self.late = 0
        self.turned_away = 0

    async def run(self, rate: float, seconds: float) -> None:
        """Send for some seconds, and wait for the answers.

        What could not be sent in its time, as the machine was full, is not sent later in one go.
        """
        began = time.perf_counter()
        due = 0.0
        while (now := time.perf_counter() - began) < seconds:
            bunch = min(int(now * rate - due), _BUNCH)
            for _ in range(bunch):
                self._send(self._requests[self.sent % len(self._requests)])
            due = max(due + bunch, now * rate - _BUNCH)
            await asyncio.sleep(_TICK)
        async with asyncio.timeout(_TIMEOUT):
            while self._waiting:  # noqa: ASYNC110 - the answers are counted by callbacks
                await asyncio.sleep(_TICK)

    def _send(self, text: bytes) -> None:
        self.sent += 1
        connection = socket.socket()
        connection.settimeout(_TIMEOUT)
        connection.bind((next(self._sources), 0))
        connection.connect(self._address)
        connection.sendall(text)
        connection.setblocking(False)
        self._waiting[connection] = time.perf_counter()
        asyncio.get_running_loop().add_reader(connection, self._answered, connection)

    def _answered(self, connection: socket.socket) -> None:
        try:
            answer = connection.recv(4096)
        except OSError:
            answer = b""
        asyncio.get_running_loop().remove_reader(connection)
        connection.close()
        took = time.perf_counter() - self._waiting.pop(connection)
        refused = any(sign in answer for sign in self._signs)
        self.refused += refused
        self.late += refused and took > _LATE
        self.turned_away += _TURNED_AWAY in answer


class _Elsewhere(asyncio.Protocol):
    """Refuses whatever comes, as cheaply as can be."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        del data
        self._transport.write(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n1020176")
        self._transport.close()


def _sources(kind: str) -> Iterator[str]:
    """Addresses of loopback, one for each request."""
    match kind:
        case "field" | "elsewhere":
            yield from repeat("127.0.0.1")
        case "locked":
            yield from repeat("127.0.0.2")
        case "header" | "page" | "health":
            yield from repeat("127.0.0.3")
    start = random.randrange(64, 224) << 16
    for number in count(start):
        yield from repeat(f"127.{number >> 16}.{number >> 8 & 255}.{number & 255}", _FROM_ONE_ADDRESS)


async def main() -> None:
    # As if it were on another machine: the program under test never waits for it.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    url, key, secret, kind, rate, seconds = sys.argv[1:]
    if kind == "elsewhere":
        server = await asyncio.get_running_loop().create_server(_Elsewhere, "127.0.0.1", 0, backlog=1024)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    number = round(float(rate) * float(seconds))
    storm = Storm(url, [request(key, secret, kind) for _ in range(number)], kind)
    await storm.run(float(rate), float(seconds))
    done = {"refused": storm.refused, "late": storm.late, "turned_away": storm.turned_away}
    print(json.dumps({"sent": storm.sent, "rate": round(storm.sent / float(seconds)), **done}))


if __name__ == "__main__":
    uvloop.run(main())

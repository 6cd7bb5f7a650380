"""A customer's program that is as cheap as can be: requests made beforehand, one plain socket each.

The API closes each connection after its answer, so there is none to be kept.
"""

import asyncio
import json
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from testbed.client import aksk_headers

_ACCEPTED = b'"resultcode":"0"'
_TIMEOUT = 1.0


class Customer:
    """Requests of one application; `accepted` and `refused` count the answers."""

    def __init__(self, url: str, path: str, app_key: str, secret: str) -> None:
        address = urlsplit(url)
        self._address = (address.hostname, address.port)
        self._path = path
        self._credentials = (app_key, secret)
        self._requests: list[bytes] = []
        self._answers: dict[socket.socket, bytes] = {}
        self.asked_at: list[float] = []
        """Wall-clock times of the requests made since `prepare`."""
        self.accepted = 0
        self.refused = 0

    def prepare(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        """Make the requests ready. Their signature is good for minutes."""
        self._requests = [self._request(json.dumps(body)) for body in bodies]
        self.asked_at.clear()

    def _request(self, body: str) -> bytes:
        headers = {"Host": "bench", "Content-Length": str(len(body)), **aksk_headers(*self._credentials)}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST {self._path} HTTP/1.1\r\n{head}\r\n{body}".encode()

    def ask(self, index: int) -> None:
        """Send a request; its answer is counted when it comes."""
        self.asked_at.append(time.time())
        connection = socket.socket()
        # On loopback both are done at once, unless the server no longer takes connections.
        connection.settimeout(_TIMEOUT)
        try:
            connection.connect(self._address)
            connection.sendall(self._requests[index])
        except OSError:
            self._end(connection, accepted=False)
            return
        connection.setblocking(False)
        self._answers[connection] = b""
        asyncio.get_running_loop().add_reader(connection, self._answered, connection)

    def _answered(self, connection: socket.socket) -> None:
        try:
            part = connection.recv(4096)
        except OSError:
            part = b""
        self._answers[connection] += part
        accepted = _ACCEPTED in self._answers[connection]
        if accepted or not part:
            asyncio.get_running_loop().remove_reader(connection)
            del self._answers[connection]
            self._end(connection, accepted=accepted)

    def _end(self, connection: socket.socket, *, accepted: bool) -> None:
        connection.close()
        self.accepted += accepted
        self.refused += not accepted

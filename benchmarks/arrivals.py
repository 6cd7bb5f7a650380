"""A receiver that notes when each push reached its machine, whatever it is busy with itself.

On one machine with the program under test a sink that takes the time itself measures the scheduler: it is
woken on the sender's core and runs when the sender sleeps, so that whatever the sender does after a push
would be part of the push's way. Linux stamps what arrives (SO_TIMESTAMPNS); a connection has one push on its
way at a time, so that a stamp is one push's. Linux begins to stamp a moment after it is asked to: the first
push may come without one, and is not noted.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_SO_TIMESTAMPNS = 35
"""Source: asm-generic/socket.h; Python has no name for it. What it sends along has the same number."""

_STAMP = struct.Struct("qq")
"""A timespec: seconds and nanoseconds, wall clock."""

_LARGEST = 65536
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

OnPush = Callable[[bytes, float], None]
"""Is told of each push's body, and when it arrived (seconds, wall clock)."""


@contextmanager
def arrivals(on_push: OnPush) -> Iterator[str]:
    """Takes pushes and answers 200 until the end of the block; yields its address."""
    loop = asyncio.get_running_loop()
    connections: set[_Connection] = set()

    def accept() -> None:
        connected, _ = listener.accept()
        connections.add(_Connection(connected, on_push, connections.discard))

    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        listener.setblocking(False)
        # Connections inherit it.
        listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        loop.add_reader(listener, accept)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/s"
        finally:
            loop.remove_reader(listener)
            for connection in list(connections):
                connection.close()


class _Connection:
    def __init__(
        self, connected: socket.socket, on_push: OnPush, on_end: "Callable[[_Connection], None]"
    ) -> None:
        self._socket = connected
        self._on_push = on_push
        self._on_end = on_end
        self._data = b""
        connected.setblocking(False)
        asyncio.get_running_loop().add_reader(connected, self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._on_end(self)

    def _read(self) -> None:
        try:
            data, stamps, _, _ = self._socket.recvmsg(_LARGEST, socket.CMSG_SPACE(_STAMP.size))
        except ConnectionError:
            data = b""
        if not data:
            self.close()
            return
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self._data = b""
        with suppress(OSError):
            self._socket.send(_OK)
        seconds, nanoseconds = _STAMP.unpack(_stamp(stamps))
        self._on_push(rest[:length], seconds + nanoseconds / 1e9)


def _stamp(stamps: list[tuple[int, int, bytes]]) -> bytes:
    for level, kind, data in stamps:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
            return data
    raise RuntimeError("the system does not say when a push arrived")

"""Ports for servers that are told which port to take: each is held by a lock for as long as it is used.

They lie below the kernel's own range for outgoing connections, so that no connection takes one between
the choice and the bind.
"""

import fcntl
import random
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO

_FIRST, _LAST = 20000, 32000
_LOCKS = Path(tempfile.gettempdir()) / "voicecall-ports"


@contextmanager
def reserved_ports(count: int) -> Iterator[list[int]]:
    """Reserve `count` free ports (TCP and UDP on loopback) until the end of the block."""
    _LOCKS.mkdir(exist_ok=True)
    with ExitStack() as held:
        ports: list[int] = []
        for port in random.sample(range(_FIRST, _LAST), _LAST - _FIRST):
            lock = lock_port(port)
            if lock is None:
                continue
            if not _free(port):
                lock.close()
                continue
            held.enter_context(closing(lock))
            ports.append(port)
            if len(ports) == count:
                yield ports
                return
        raise RuntimeError(f"no {count} free ports between {_FIRST} and {_LAST}")


def lock_port(port: int) -> IO[bytes] | None:
    """Keep a port from being reserved until this is closed; None if it is reserved."""
    handle = (_LOCKS / str(port)).open("wb")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        return None
    return handle


def _free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True

"""Connections to the outside: guarded addresses, verified TLS, look-ups that hold up nobody else."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache, partial

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from controller.pushes.guard import AddressGuard

TLS_1_2_SUITES = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES256-SHA384",
        "ECDHE-RSA-AES256-SHA384",
    )
)
"""What the cloud offers as a client. Source: wire API document, section 5. Those of TLS 1.3 come with it."""

_LOOK_UPS = 32
"""Names looked up at the same time; a name that hangs takes one place, however many wait for it."""

_KEEP_ALIVE = 3.0
"""Seconds. Under what usual servers have (Node.js: 5): a push on a connection that is just being closed is
lost, since it may have been taken."""


@cache
def tls_context(*, verify: bool = True, ca_file: str = "") -> ssl.SSLContext:
    """TLS 1.2 and later as a client. `ca_file` holds authorities beside the system's. Raises OSError.

    Reading the system's authorities takes long; whoever wants the same shares one.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS_1_2_SUITES)
    if ca_file:
        context.load_verify_locations(ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class OwnThreads(AbstractResolver):
    """Looks names up in threads of its own: the loop's are few, and the database works in them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, "look-up")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of a name. Raises OSError."""
        look_up = partial(
            socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(place[0]),
                port=port,
                family=own_family,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for own_family, _, protocol, _, place in found
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def outbound_connector(
    guard: AddressGuard, tls: ssl.SSLContext, resolver: AbstractResolver | None = None
) -> AsyncIterator[aiohttp.TCPConnector]:
    """For a `ClientSession` that reaches where `guard` lets it; how many connections is its user's matter."""
    names = resolver or OwnThreads()
    connector = aiohttp.TCPConnector(
        resolver=names,
        socket_factory=guard.socket,
        ssl=tls,
        limit=0,
        keepalive_timeout=_KEEP_ALIVE,
    )
    try:
        yield connector
    finally:
        await connector.close()
        await names.close()

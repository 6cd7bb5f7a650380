"""Connections to the outside: guarded addresses, verified TLS, look-ups that hold up nobody else."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from aiohappyeyeballs import AddrInfoType, start_connection

from controller.pushes.exchange import Exchange
from controller.pushes.guard import AddressGuard, AddressRefused

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

_NAME_KNOWN = 10.0
"""Seconds for which the addresses of a name are not looked up again."""

_NEXT_ADDRESS = 0.25
"""Seconds after which the next address of a name is tried beside the one before (RFC 8305)."""


class Place(NamedTuple):
    """Where a receiver listens."""

    is_https: bool
    host: str
    port: int


class NoName(Exception):
    """A name has no address."""


class NoConnection(Exception):
    """Nobody answers at the addresses of a place."""


class NoHandshake(Exception):
    """TLS was not agreed upon, or the certificate is not believed."""


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


LookUp = Callable[[str, int], Awaitable[Sequence[AddrInfoType]]]
"""Finds the addresses of a name and port, as getaddrinfo has them. Raises OSError."""


class OwnThreads:
    """Looks names up in threads of its own: the loop's are few, and the database works in them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOK_UPS, "look-up")

    async def look_up(self, host: str, port: int) -> Sequence[AddrInfoType]:
        """Every address of a name. Raises OSError."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    def close(self) -> None:
        """Waits for no look-up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Outbound:
    """Connects to where the guard lets it."""

    def __init__(self, guard: AddressGuard, tls: ssl.SSLContext, look_up: LookUp) -> None:
        self._guard = guard
        self._tls = tls
        self._look_up = look_up
        self._names: dict[tuple[str, int], asyncio.Future[Sequence[AddrInfoType]]] = {}
        """Look-ups that go on, and those that were done a moment ago."""

    async def connect(self, place: Place) -> Exchange:
        """A new connection. Raises NoName, AddressRefused, NoConnection, NoHandshake."""
        try:
            addresses = await self._addresses(place.host, place.port)
        except (OSError, UnicodeError) as error:
            raise NoName(f"{place.host}: {error}") from error
        try:
            if len(addresses) == 1 and not place.is_https:
                return await self._connect_plainly(addresses[0])
            connected = await start_connection(
                addresses, happy_eyeballs_delay=_NEXT_ADDRESS, socket_factory=self._guard.socket
            )
        except AddressRefused:
            raise
        except OSError as error:
            raise NoConnection(f"{place.host} port {place.port}: {error}") from error
        try:
            _, exchange = await asyncio.get_running_loop().create_connection(
                Exchange,
                sock=connected,
                ssl=self._tls if place.is_https else None,
                server_hostname=place.host.removesuffix(".") if place.is_https else None,
            )
        except OSError as error:
            raise NoHandshake(str(error) or "the connection ended during the handshake") from error
        return exchange

    async def _connect_plainly(self, info: AddrInfoType) -> Exchange:
        """To the only address there is, by the loop's own means: that costs less than half."""
        address, port = self._guard.check_info(info)
        # The flag keeps the loop from asking anybody what this text means.
        _, exchange = await asyncio.get_running_loop().create_connection(
            Exchange, address, port, flags=socket.AI_NUMERICHOST
        )
        return exchange

    async def _addresses(self, host: str, port: int) -> Sequence[AddrInfoType]:
        try:
            address = ip_address(host)
        except ValueError:
            return await self._addresses_of_name(host, port)
        if isinstance(address, IPv6Address):
            return [(socket.AF_INET6, socket.SOCK_STREAM, 0, "", (host, port, 0, 0))]
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (host, port))]

    async def _addresses_of_name(self, name: str, port: int) -> Sequence[AddrInfoType]:
        asked = self._names.get((name, port))
        if asked is None:
            asked = self._names[name, port] = asyncio.ensure_future(self._look_up(name, port))
            asked.add_done_callback(lambda found: self._known(name, port, found))
        # One who gives up must not take the look-up from the others.
        return await asyncio.shield(asked)

    def _known(self, name: str, port: int, found: asyncio.Future[Sequence[AddrInfoType]]) -> None:
        # To ask for the fault is to have seen it: it is nobody's when all who asked have given up.
        if found.cancelled() or found.exception() is not None:
            self._names.pop((name, port), None)
        else:
            asyncio.get_running_loop().call_later(_NAME_KNOWN, self._names.pop, (name, port), None)

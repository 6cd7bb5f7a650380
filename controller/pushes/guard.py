"""Where we never connect to, however a customer's address leads there.

An operator's network is full of things that answer whoever can reach them: metadata services, databases,
this program's own listeners. So the address itself is judged, at the moment of connecting, after every
look-up; what a name said a moment ago, or says to somebody else, plays no part.

Source of the table: the lists of stripe/smokescreen and of Svix's server, IANA's special-purpose registries.
"""

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
AddressInfo = tuple[Any, ...]
"""(family, type, protocol, canonical name, socket address), as getaddrinfo has it."""

_REFUSED_IPV4 = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "255.255.255.255/32": "broadcast",
    "240.0.0.0/4": "reserved",
}

# Addresses that carry an IPv4 address are refused even around a public one: who has that can use it.
_REFUSED_IPV6 = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::/96": "IPv4-compatible",
    "::ffff:0:0/96": "IPv4-mapped",
    "::ffff:0:0:0/96": "IPv4-translated",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "NAT64",
    "100::/64": "discard",
    "100:0:0:1::/64": "dummy",
    "2001::/32": "Teredo",
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "unique local",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_TABLE: dict[int, list[tuple[Network, str]]] = {
    4: [(ip_network(text), reason) for text, reason in _REFUSED_IPV4.items()],
    6: [(ip_network(text), reason) for text, reason in _REFUSED_IPV6.items()],
}
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_ISATAP, _ISATAP_BITS = 0x00005EFE, 0xFDFFFFFF
"""The upper half of the interface id; the universal/local bit is either."""

_WEB_PORTS = frozenset({80, 443})
_FIRST_FREE_PORT = 1024


@lru_cache(4096)
def refusal(address: Address) -> str | None:
    """Why nobody on the Internet has this address; None if somebody may."""
    for network, reason in _TABLE[address.version]:
        if address in network:
            return reason
    if isinstance(address, IPv6Address):
        if (int(address) >> 32) & _ISATAP_BITS == _ISATAP:
            return "ISATAP"
        if address not in _GLOBAL_UNICAST:
            return "not allotted"
    return None


class AddressRefused(OSError):
    """No connection is made there. All have the same text, so that several still pass as what they are."""

    def __init__(self, address: str, port: int, reason: str) -> None:
        super().__init__("the address is refused")
        self.address = address
        self.port = port
        self.reason = reason

    @property
    def text(self) -> str:
        return f"{self.address} port {self.port} is refused: {self.reason}"


class AddressGuard:
    """Says for each address whether it may be connected to. `allowed` are networks of the operator's."""

    def __init__(self, allowed: Iterable[Network] = ()) -> None:
        self._allowed = tuple(allowed)
        self._own: set[tuple[Address | None, int]] = set()

    def protect(self, host: str, port: int) -> None:
        """Refuse a listener of ours, also in allowed networks.

        One on all addresses, or known by a name, stands for that port of every address that is not public.
        """
        try:
            self._own.add((ip_address(host), port))
        except ValueError:
            self._own.add((None, port))

    def protect_url(self, url: str) -> None:
        """Refuse the listener that this address leads to."""
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        if parts.hostname and port:
            self.protect(parts.hostname, port)

    def check(self, address: Address, port: int) -> None:
        """Raises AddressRefused."""
        if port not in _WEB_PORTS and not _FIRST_FREE_PORT <= port <= 65535:
            raise AddressRefused(str(address), port, "only ports 80, 443 and from 1024 are served")
        reason = refusal(address)
        if reason is not None and not any(address in network for network in self._allowed):
            raise AddressRefused(str(address), port, reason)
        if self._is_own(_plain(address), port, private=reason is not None):
            raise AddressRefused(str(address), port, "a listener of the platform")

    def _is_own(self, address: Address, port: int, *, private: bool) -> bool:
        for own, own_port in self._own:
            if port != own_port:
                continue
            anywhere = own is None or own.is_unspecified
            if (anywhere and private) or (own is not None and _same_place(_plain(own), address)):
                return True
        return False

    def check_info(self, info: AddressInfo) -> tuple[str, int]:
        """Address and port to connect to next. Raises AddressRefused."""
        text, port = info[4][:2]
        self.check(ip_address(text), port)
        return text, port

    def socket(self, info: AddressInfo) -> socket.socket:
        """A socket for this very address, to be connected to it next. Raises AddressRefused.

        Made for aiohappyeyeballs' `start_connection(socket_factory=...)`, which asks for each address right
        before it connects there, names with several and literal addresses included.
        """
        family, kind, protocol, _, _ = info
        self.check_info(info)
        return socket.socket(family, kind, protocol)


def _plain(address: Address) -> Address:
    """IPv4 for what is IPv4 in another form."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _same_place(one: Address, other: Address) -> bool:
    """All loopback addresses lead here, and so does the unspecified one."""
    here = [address.is_loopback or address.is_unspecified for address in (one, other)]
    return one == other or all(here)

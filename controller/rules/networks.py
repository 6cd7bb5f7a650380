"""IP networks that operators name."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network


def check_network(text: str) -> str:
    """A network in its usual form. Raises ValueError."""
    try:
        return str(ip_network(text))
    except ValueError:
        raise ValueError("must be an address or a network such as 192.0.2.0/24") from None


def is_within(address: str, networks: Iterable[Network]) -> bool:
    """Whether an IP address is in one of the networks; what is no address is in none.

    IPv4 in IPv6's clothes (::ffff:192.0.2.1), as sockets for both have it, is IPv4.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found.version == network.version and found in network for network in networks)

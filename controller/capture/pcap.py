"""SIP messages as a capture file: what Wireshark and sngrep open.

Asterisk tells messages, not packets: Ethernet, IP and UDP headers are made up around them, also for messages
that came over TCP or WebSocket. Source: the libpcap file format, RFC 791, RFC 8200, RFC 768.
"""

import struct
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from controller.capture.leg_capture import Message

MEDIA_TYPE: Final = "application/vnd.tcpdump.pcap"

_MAGIC, _MAJOR, _MINOR, _ETHERNET = 0xA1B2C3D4, 2, 4, 1
_LARGEST: Final = 65535
_ETHER_TYPES: Final = {4: 0x0800, 6: 0x86DD}
_MACS: Final = b"\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"
"""Locally administered addresses of nobody."""
_UDP, _HOPS = 17, 64
_UDP_HEADER, _IPV4_HEADER = 8, 20
_ROOM: Final = _LARGEST - len(_MACS) - 2 - 40 - _UDP_HEADER

Host = IPv4Address | IPv6Address


def pcap(messages: Iterable[Message]) -> bytes:
    """The file, in the order of the messages."""
    parts = [struct.pack("<IHHiIII", _MAGIC, _MAJOR, _MINOR, 0, 0, _LARGEST, _ETHERNET)]
    for message in messages:
        frame = _frame(message)
        seconds, rest = divmod(round(message.at * 1_000_000), 1_000_000)
        parts += [struct.pack("<IIII", seconds, rest, len(frame), len(frame)), frame]
    return b"".join(parts)


def _frame(message: Message) -> bytes:
    payload = message.text.encode()[:_ROOM]
    (source, source_port), (destination, destination_port) = (
        _address(message.source),
        _address(message.destination),
    )
    head = struct.pack("!HHH", source_port, destination_port, _UDP_HEADER + len(payload))
    pseudo = source.packed + destination.packed + struct.pack("!HH", _UDP, _UDP_HEADER + len(payload))
    udp = head + struct.pack("!H", _checksum(pseudo + head + b"\0\0" + payload) or 0xFFFF) + payload
    return _MACS + struct.pack("!H", _ETHER_TYPES[source.version]) + _ip(source, destination, udp)


def _ip(source: Host, destination: Host, content: bytes) -> bytes:
    if source.version == 6:
        head = struct.pack("!IHBB", 6 << 28, len(content), _UDP, _HOPS)
        return head + source.packed + destination.packed + content
    head = struct.pack("!BBHHHBB", 0x45, 0, _IPV4_HEADER + len(content), 0, 0, _HOPS, _UDP)
    addresses = source.packed + destination.packed
    checksum = struct.pack("!H", _checksum(head + b"\0\0" + addresses))
    return head + checksum + addresses + content


def _checksum(content: bytes) -> int:
    """The Internet checksum: RFC 1071."""
    if len(content) % 2:
        content += b"\0"
    total: int = sum(struct.unpack(f"!{len(content) // 2}H", content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _address(text: str) -> tuple[Host, int]:
    host, _, port = text.rpartition(":")
    return ip_address(host.strip("[]")), int(port) & 0xFFFF

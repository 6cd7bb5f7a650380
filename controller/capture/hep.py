"""HEPv3, as Asterisk's res_hep sends it: one message in a datagram, as a list of chunks.

Source: HEP/EEP revision 11 (sipcapture.org), and what Asterisk 22.10 was seen to send.
"""

import socket
import struct
from functools import lru_cache
from typing import Final, NamedTuple

_MAGIC: Final = b"HEP3"
_HEADER: Final = struct.Struct("!4sH")
_CHUNK: Final = struct.Struct("!HHH")
_SHORT: Final = struct.Struct("!H")
_LONG: Final = struct.Struct("!I")

_FAMILY, _SOURCE_PORT, _DESTINATION_PORT, _SECONDS, _MICROSECONDS, _PROTOCOL = 1, 7, 8, 9, 10, 11
_PAYLOAD, _COMPRESSED, _CORRELATION = 15, 16, 17
_ADDRESSES: Final = {b"\x02": (3, 4, 4), b"\x0a": (5, 6, 16)}
"""By address family: the chunks of source and destination, and the length of an address."""

SIP: Final = 1
RTCP: Final = 5
"""RTCP as JSON."""

_LONGEST_ID: Final = 256


class HepError(Exception):
    """The datagram is no HEPv3, or none that Asterisk sends; the text says why."""


class Address(NamedTuple):
    """Host and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Packet(NamedTuple):
    """A message that Asterisk has sent or received."""

    at: float
    """Seconds since 1970, by the node's clock."""
    protocol: int
    """SIP, RTCP or something else."""
    source: Address
    destination: Address
    correlation: str
    """The Call-ID of its dialog; "": Asterisk did not say."""
    payload: bytes


def parse(datagram: bytes) -> Packet:
    """The packet that a datagram carries. Raises HepError."""
    if len(datagram) < _HEADER.size:
        raise HepError("too short for a header")
    magic, length = _HEADER.unpack_from(datagram)
    if magic != _MAGIC:
        raise HepError("does not begin as HEPv3 does")
    if length != len(datagram):
        raise HepError(f"says it has {length} bytes and has {len(datagram)}")
    chunks = _chunks(datagram)
    if _COMPRESSED in chunks:
        raise HepError("its payload is compressed")
    places = _ADDRESSES.get(chunks.get(_FAMILY, b""))
    if places is None:
        raise HepError("its addresses are of no family that is known")
    source, destination, size = places
    return Packet(
        at=_number(chunks, _SECONDS, _LONG) + _number(chunks, _MICROSECONDS, _LONG) / 1e6,
        protocol=_whole(chunks, _PROTOCOL, 1)[0],
        source=_address(_whole(chunks, source, size), _whole(chunks, _SOURCE_PORT, 2)),
        destination=_address(_whole(chunks, destination, size), _whole(chunks, _DESTINATION_PORT, 2)),
        correlation=_text(chunks.get(_CORRELATION, b"")),
        payload=_whole(chunks, _PAYLOAD, None),
    )


def _chunks(datagram: bytes) -> dict[int, bytes]:
    """The generic chunks by type; those of vendors are left out."""
    found: dict[int, bytes] = {}
    place, end, head, unpack = _HEADER.size, len(datagram), _CHUNK.size, _CHUNK.unpack_from
    while place < end:
        if end - place < head:
            raise HepError("ends within a chunk's header")
        vendor, kind, length = unpack(datagram, place)
        if length < head or place + length > end:
            raise HepError(f"chunk {kind} says it has {length} bytes and there are {end - place}")
        if vendor == 0:
            found[kind] = datagram[place + head : place + length]
        place += length
    return found


def _whole(chunks: dict[int, bytes], kind: int, size: int | None) -> bytes:
    content = chunks.get(kind)
    if content is None:
        raise HepError(f"chunk {kind} is missing")
    if size is not None and len(content) != size:
        raise HepError(f"chunk {kind} has {len(content)} bytes, not {size}")
    return content


def _number(chunks: dict[int, bytes], kind: int, form: struct.Struct) -> int:
    number: int = form.unpack(_whole(chunks, kind, form.size))[0]
    return number


@lru_cache(1024)
def _address(host: bytes, port: bytes) -> Address:
    family = socket.AF_INET if len(host) == 4 else socket.AF_INET6
    return Address(socket.inet_ntop(family, host), _SHORT.unpack(port)[0])


def _text(content: bytes) -> str:
    if len(content) > _LONGEST_ID:
        raise HepError(f"its correlation id has {len(content)} bytes")
    return content.rstrip(b"\0").decode("utf-8", "replace")

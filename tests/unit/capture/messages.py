"""HEP datagrams and SIP messages as Asterisk was seen to send them."""

import socket
import struct

from controller.capture.hep import RTCP, SIP, Address, Packet

NODE, PHONE = Address("10.0.0.1", 5060), Address("192.0.2.7", 5062)
AT = 1795684270.25
SDP = "v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 14428 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\n"


def chunk(kind: int, content: bytes, vendor: int = 0) -> bytes:
    return struct.pack("!HHH", vendor, kind, 6 + len(content)) + content


def datagram(
    payload: bytes,
    *,
    protocol: int = SIP,
    source: Address = NODE,
    destination: Address = PHONE,
    at: float = AT,
    sip_id: str = "call-1",
    family: int = 2,
) -> bytes:
    """As res_hep makes it."""
    kind = socket.AF_INET if family == 2 else socket.AF_INET6
    first = 3 if family == 2 else 5
    seconds, rest = int(at), round(at % 1 * 1e6)
    body = b"".join(
        [
            chunk(1, bytes([family])),
            chunk(2, b"\x11"),
            chunk(7, struct.pack("!H", source.port)),
            chunk(8, struct.pack("!H", destination.port)),
            chunk(9, struct.pack("!I", seconds)),
            chunk(10, struct.pack("!I", rest)),
            chunk(11, bytes([protocol])),
            chunk(12, struct.pack("!I", 1)),
            chunk(first, socket.inet_pton(kind, source.host)),
            chunk(first + 1, socket.inet_pton(kind, destination.host)),
            chunk(17, sip_id.encode()),
            chunk(15, payload),
        ]
    )
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def request(method: str, *headers: str, body: str = "") -> bytes:
    lines = [
        f"{method} sip:+8613900001111@192.0.2.7 SIP/2.0",
        "Call-ID: call-1",
        f"CSeq: 1 {method}",
        *headers,
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def answer(status: int, reason: str, method: str = "INVITE", *headers: str, body: str = "") -> bytes:
    lines = [f"SIP/2.0 {status} {reason}", "Call-ID: call-1", f"CSeq: 1 {method}", *headers, "", body]
    return "\r\n".join(lines).encode()


def sent(payload: bytes, *, sip_id: str = "call-1", at: float = AT) -> Packet:
    return Packet(at, SIP, NODE, PHONE, sip_id, payload)


def received(payload: bytes, *, sip_id: str = "call-1", at: float = AT) -> Packet:
    return Packet(at, SIP, PHONE, NODE, sip_id, payload)


def report(payload: bytes, *, from_phone: bool, sip_id: str = "call-1", at: float = AT) -> Packet:
    here, there = Address("10.0.0.1", 14429), Address("192.0.2.7", 40979)
    source, destination = (there, here) if from_phone else (here, there)
    return Packet(at, RTCP, source, destination, sip_id, payload)

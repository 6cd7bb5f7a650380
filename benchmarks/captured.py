"""What a fake Asterisk says in SIP and RTCP of its legs, as HEP to a controller's capture.port.

The messages are those that Asterisk 22.10 was seen to exchange with a phone; the phone's answers have the
headers of a carrier. The chunks around them are those of res_hep.
"""

import json
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

from controller.capture.hep import RTCP, SIP

_CHUNK = struct.Struct("!HHH")
_ENDS = {
    SIP: (("10.0.0.1", 5060), ("192.0.2.7", 5060)),
    RTCP: (("10.0.0.1", 16955), ("192.0.2.8", 22679)),
}
"""Addresses of the node and of the trunk."""


@dataclass(frozen=True)
class _Leg:
    """What is a leg's own in its messages: as random, and as long, as Asterisk makes it."""

    sip_id: str
    tag: str = field(default_factory=lambda: str(uuid4()))
    branch: str = field(default_factory=lambda: str(uuid4()))


class CapturedLegs:
    """Legs that are dialled, ring, are answered and end, as events tell it."""

    def __init__(self, port: int) -> None:
        """`port` is the controller's, on loopback."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._legs: dict[str, _Leg] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    def tell(self, event: dict[str, Any]) -> None:
        """Send what goes with an event of ARI; with most of them nothing does."""
        if event["type"] == "Dial" and event["dialstatus"] in _AT_DIAL:
            sip_id = event["peer"]["protocol_id"]
            leg = self._legs.setdefault(sip_id, _Leg(sip_id))
            self._send_all(leg, *_AT_DIAL[event["dialstatus"]])
        elif event["type"] == "ChannelDestroyed":
            gone = self._legs.pop(event["channel"]["protocol_id"], None)
            if gone is not None:
                self._send_all(gone, _BYE, _BYE_DONE)

    def _send_all(self, leg: _Leg, *messages: str) -> None:
        for message in messages:
            sent = not message.startswith("SIP/2.0")
            text = message.format(id=leg.sip_id, tag=leg.tag, branch=leg.branch)
            self._send(leg, SIP, text.replace("\n", "\r\n").encode(), sent=sent)
        if _ACK in messages:
            # They come every 5 s; of the first one as much is kept as of all.
            for sent in (True, False):
                self._send(leg, RTCP, _REPORT, sent=sent)

    def _send(self, leg: _Leg, protocol: int, payload: bytes, *, sent: bool) -> None:
        source, destination = _ENDS[protocol] if sent else reversed(_ENDS[protocol])
        now = time.time()
        chunks = [
            (1, b"\x02"),
            (2, b"\x11"),
            (7, source[1].to_bytes(2)),
            (8, destination[1].to_bytes(2)),
            (9, int(now).to_bytes(4)),
            (10, int(now % 1 * 1e6).to_bytes(4)),
            (11, bytes([protocol])),
            (12, (1).to_bytes(4)),
            (3, socket.inet_aton(source[0])),
            (4, socket.inet_aton(destination[0])),
            (17, leg.sip_id.encode()),
            (15, payload),
        ]
        body = b"".join(
            _CHUNK.pack(0, kind, _CHUNK.size + len(content)) + content for kind, content in chunks
        )
        self._socket.send(b"HEP3" + (6 + len(body)).to_bytes(2) + body)


_ASKED = """Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKPj{branch}
From: <sip:+8657126880001@10.0.0.1>;tag={tag}
"""
_HEARD = _ASKED.replace("rport", "received=10.0.0.1;rport=5060")
_TO = "To: <sip:+8613000000000@192.0.2.7>"
_THERE = f"{_TO};tag=gK0a{{tag:.8}}"
_ID = "Call-ID: {id}"
_SAYS_WHO = "Max-Forwards: 70\nUser-Agent: voicecall\n"
_CONTACT = """Contact: <sip:+8613000000000@192.0.2.7:5060>
Allow: INVITE, ACK, CANCEL, BYE, REGISTER, REFER, INFO, SUBSCRIBE, NOTIFY, PRACK, UPDATE, OPTIONS
"""

_INVITE = f"""INVITE sip:+8613000000000@192.0.2.7:5060 SIP/2.0
{_ASKED}{_TO}
Contact: <sip:asterisk@10.0.0.1:5060>
{_ID}
CSeq: 19218 INVITE
Allow: OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, INFO
Supported: 100rel
{_SAYS_WHO}Content-Type: application/sdp
Content-Length:   253

v=0
o=- 1091761309 1091761309 IN IP4 10.0.0.1
s=Asterisk
c=IN IP4 10.0.0.1
t=0 0
m=audio 16954 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:140
a=sendrecv
"""
_TRYING = f"SIP/2.0 100 Trying\n{_HEARD}{_TO}\n{_ID}\nCSeq: 19218 INVITE\nContent-Length: 0\n\n"
_RINGING = f"""SIP/2.0 180 Ringing
{_HEARD}{_THERE}
{_ID}
CSeq: 19218 INVITE
{_CONTACT}Content-Length: 0

"""
_OK = f"""SIP/2.0 200 OK
{_HEARD}{_THERE}
{_ID}
CSeq: 19218 INVITE
{_CONTACT}Supported: timer
Content-Type: application/sdp
Content-Length: 229

v=0
o=Carrier_UAC 25531 17233 IN IP4 192.0.2.7
s=SIP Media Capabilities
c=IN IP4 192.0.2.8
t=0 0
m=audio 22678 RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
a=sendrecv
"""
_ACK = f"""ACK sip:+8613000000000@192.0.2.7:5060 SIP/2.0
{_ASKED}{_THERE}
{_ID}
CSeq: 19218 ACK
{_SAYS_WHO}Content-Length:  0

"""
_BYE = f"""BYE sip:+8613000000000@192.0.2.7:5060 SIP/2.0
{_ASKED}{_THERE}
{_ID}
CSeq: 19219 BYE
Reason: Q.850;cause=16
{_SAYS_WHO}Content-Length:  0

"""
_BYE_DONE = f"SIP/2.0 200 OK\n{_HEARD}{_THERE}\n{_ID}\nCSeq: 19219 BYE\nContent-Length: 0\n\n"

_AT_DIAL = {"": (_INVITE, _TRYING, _RINGING), "ANSWER": (_OK, _ACK)}
"""By the status that an event of dialling tells."""

_REPORT = json.dumps(
    {
        "ssrc": 7,
        "type": 200,
        "sender_information": {"packets": 250, "octets": 40000, "rtp_timestamp": 40000},
        "report_blocks": [
            {"source_ssrc": 9, "highest_seq_no": 250, "packets_lost": 1, "fraction_lost": 1, "ia_jitter": 12}
        ],
    }
).encode()

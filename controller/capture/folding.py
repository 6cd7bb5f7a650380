"""What a leg has said so far in fewer bytes, for as long as it stays in memory.

Dialogs are short and much alike: what most of them say, in the JSON that messages are kept in, is given to
the compressor beforehand, which nearly halves what is left. Nothing that is stored is made like this, so
the words may change.
"""

import zlib
from typing import Final

_WORDS: Final = """SIP/2.0 486 Busy Here
SIP/2.0 183 Session Progress
Reason: Q.850;cause=16
Server: Require: P-Asserted-Identity: <sip:
Session-Expires: 1800;refresher=uas
Min-SE: 90
Record-Route: <sip:;lr>
Accept: application/sdp
Supported: timer, replaces, norefersub
Allow: OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, PUBLISH, INVITE, ACK, BYE, CANCEL, UPDATE, PRACK, INFO, REFER
Supported: 100rel
Max-Forwards: 70
User-Agent: voicecall
Content-Type: application/sdp
Content-Length:   250

v=0
o=- IN IP4 10.0.0.1
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
"},{"at":1790000000.0,"sent":false,"source":"","destination":"","text":"SIP/2.0 100 Trying
;received=10.0.0.1;rport=5060
Content-Length: 0

"},{"at":179,"sent":false,"source":"","destination":"","text":"SIP/2.0 180 Ringing
Contact: <sip:
"},{"at":179,"sent":false,"source":"","destination":"","text":"SIP/2.0 200 OK
"},{"at":179,"sent":true,"source":"","destination":"","text":"ACK sip:
"}[{"at":179,"sent":true,"source":"192.168.","destination":"","text":"INVITE sip:+86@ SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKPj
From: <sip:+86@10.0.0.1>;tag=
To: <sip:+86@10.0.0.1>;tag=
Contact: <sip:asterisk@10.0.0.1:5060>
Call-ID:
CSeq: 1 INVITE
"""
"""What is said most comes last: near words take fewer bits."""

_KNOWN: Final = _WORDS.replace("\n", r"\r\n").encode()


def folded(content: bytes) -> bytes:
    """Messages in JSON, compressed."""
    packer = zlib.compressobj(1, zdict=_KNOWN)
    return packer.compress(content) + packer.flush()


def unfolded(content: bytes) -> bytes:
    """What `folded` was given."""
    return zlib.decompressobj(zdict=_KNOWN).decompress(content)

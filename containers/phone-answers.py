"""Whether a softphone answers: asks `ADDRESS PORT` by SIP OPTIONS over UDP; any response will do."""

import socket
import sys
import uuid

address, port, tag = sys.argv[1], int(sys.argv[2]), uuid.uuid4().hex
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
    asking.settimeout(2)
    asking.connect((address, port))
    own = "{}:{}".format(*asking.getsockname())
    lines = [
        f"OPTIONS sip:{address}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {own};branch=z9hG4bK{tag};rport",
        "Max-Forwards: 70",
        f"From: <sip:health@{own}>;tag={tag}",
        f"To: <sip:{address}>",
        f"Call-ID: {tag}",
        "CSeq: 1 OPTIONS",
        "Content-Length: 0",
    ]
    asking.send("\r\n".join([*lines, "", ""]).encode())
    sys.exit(not asking.recv(4096).startswith(b"SIP/2.0 "))

"""SIP messages as call details show them: what they are, and nothing that is secret.

Asterisk parses SIP; here only the first line, the CSeq and the media port of a body are read.
"""

import re
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 8192
"""Bytes of a message that are kept."""
MASK: Final = "•••"

_SECRET_HEADER: Final = re.compile(
    r"^((?:proxy-)?authorization|(?:www|proxy)-authenticate|authentication-info)([ \t]*:)"
    r"[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
_SECRET_LINE: Final = re.compile(r"^(a=(?:crypto|ice-pwd|key-mgmt)|k=)[^\r\n]*", re.IGNORECASE | re.MULTILINE)
"""Keys of SRTP and passwords of ICE in an SDP."""
_FIRST_REQUEST: Final = re.compile(r"([A-Z]{2,20}) \S+ SIP/2\.0")
_FIRST_RESPONSE: Final = re.compile(r"SIP/2\.0 (\d{3})(?: (.*))?")
_CSEQ: Final = re.compile(r"^CSeq[ \t]*:[ \t]*\d+[ \t]+([A-Z]{2,20})", re.IGNORECASE | re.MULTILINE)
_AUDIO: Final = re.compile(r"^m=audio (\d{1,5})(?:/\d+)? \S+ (\d+)", re.MULTILINE)
_CODECS: Final = {"0": "PCMU", "8": "PCMA", "9": "G722", "18": "G729"}
_BODY: Final = re.compile(r"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Line:
    """What a message's first line says, and of which request it is."""

    method: str
    """Of the request, or of the one that is answered; "": can't be told."""
    status: int | None
    """None: a request."""
    reason: str
    """Beside the status."""

    @property
    def text(self) -> str:
        """Such as INVITE, or 180 Ringing."""
        return self.method if self.status is None else f"{self.status} {self.reason}".rstrip()


def shown(payload: bytes) -> str:
    """A message as it may be kept and shown: answers to challenges, keys and pressed keys are masked."""
    text = payload[:LONGEST].decode("utf-8", "replace").replace("\0", "\ufffd")
    # Few messages have a secret in them, and to search is cheaper than to match.
    small = text.lower()
    if any(word in small for word in ("authoriz", "authentic")):
        text = _SECRET_HEADER.sub(rf"\1\2 {MASK}", text)
    if any(word in small for word in ("a=crypto", "a=ice-pwd", "a=key-mgmt", "k=")):
        text = _SECRET_LINE.sub(rf"\1:{MASK}", text)
    body = _BODY.search(text)
    if body and body.end() < len(text) and line_of(text).method in ("INFO", "MESSAGE", "NOTIFY"):
        # A key that was pressed comes as the body of an INFO from phones that can't do better.
        text = f"{text[: body.start()]}\r\n\r\n{MASK}"
    if len(payload) > LONGEST:
        text += "\r\n…"
    return text


def line_of(text: str) -> Line:
    """What a message is."""
    first = text.partition("\n")[0].rstrip("\r")
    request = _FIRST_REQUEST.fullmatch(first)
    if request:
        return Line(request[1], None, "")
    response = _FIRST_RESPONSE.fullmatch(first)
    if response:
        return Line(method_of(text), int(response[1]), (response[2] or "").strip()[:80])
    return Line("", None, "")


def method_of(text: str) -> str:
    """The method that the CSeq names."""
    found = _CSEQ.search(text)
    return found[1].upper() if found else ""


def audio_port(text: str) -> int | None:
    """The port that the sender of an SDP receives audio on; None: the message has no audio in it."""
    found = _AUDIO.search(text)
    return int(found[1]) if found else None


def codec(text: str) -> str:
    """The first codec of an SDP; "": there is none, or one that has no fixed number."""
    found = _AUDIO.search(text)
    if found is None:
        return ""
    number = found[2]
    named = re.search(rf"^a=rtpmap:{number} ([\w.-]+)/", text, re.MULTILINE)
    return named[1] if named else _CODECS.get(number, "")

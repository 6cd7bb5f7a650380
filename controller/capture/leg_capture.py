"""What is kept of one leg: its SIP messages, masked, and the quality of its sound."""

import zlib
from typing import Final, Self

import msgspec

from controller.capture import hep, sip
from controller.capture.folding import folded, unfolded
from controller.capture.rtcp import Qualities, RtcpError

MOST_MESSAGES: Final = 200
MOST_BYTES: Final = 256 * 1024
_LONGEST: Final = 8 * 1024 * 1024
"""Bytes that a kept leg unpacks to at most."""


class Message(msgspec.Struct):
    """A SIP message that Asterisk has sent or received."""

    at: float
    """Seconds since 1970."""
    sent: bool
    """By Asterisk."""
    source: str
    """Host:port."""
    destination: str
    """Host:port."""
    text: str
    """Masked."""


class LegCapture(msgspec.Struct):
    """One SIP dialog of a leg; a leg that went over several trunks has one for each."""

    call_id: str
    """Of the call, the platform's own."""
    leg: str
    """a or b."""
    sip_id: str
    """Call-ID."""
    _unfolded: list[Message] = msgspec.field(default_factory=list, name="messages")
    qualities: Qualities = msgspec.field(default_factory=Qualities)
    left_out: int = 0
    """Messages that there was no room for."""
    size: int = 0
    """Bytes of all messages."""
    last_at: float = 0.0
    """When anything came last, in seconds since 1970."""
    media_port: int = 0
    """Where Asterisk receives the leg's sound; 0: it has not said yet."""
    _here: str = ""
    _folded: bytes = b""
    """The messages that came before `_unfolded`, compressed."""

    @property
    def messages(self) -> list[Message]:
        """All that it has said, in order; not to be changed."""
        if not self._folded:
            return self._unfolded
        return msgspec.json.decode(unfolded(self._folded), type=list[Message]) + self._unfolded

    def fold(self) -> None:
        """Take less memory from now on; to read the messages then takes some 0.02 ms, as this does."""
        if self._unfolded:
            self._folded = folded(msgspec.json.encode(self.messages))
            self._unfolded = []

    @property
    def is_over(self) -> bool:
        """The dialog has ended, or never came about: nothing more is to be expected."""
        lines = [sip.line_of(message.text) for message in self.messages[-6:]]
        ended = any(line.method == "BYE" and (line.status or 0) >= 200 for line in lines)
        return ended or any(line.method == "INVITE" and (line.status or 0) >= 300 for line in lines[-3:])

    def add(self, packet: hep.Packet) -> None:
        """Take in what came."""
        self.last_at = packet.at
        if packet.protocol == hep.RTCP:
            # Its payload comes from a phone by way of Asterisk: what is no report is left out.
            try:
                from_phone = packet.source.port not in (self.media_port, self.media_port + 1)
                self.qualities.take(packet.payload, packet.at, from_phone=from_phone)
            except RtcpError:
                self.left_out += 1
        elif packet.protocol == hep.SIP:
            self._add_message(packet)

    def _add_message(self, packet: hep.Packet) -> None:
        text, source, before = sip.shown(packet.payload), str(packet.source), self.messages
        if len(before) >= MOST_MESSAGES or self.size + len(text) > MOST_BYTES:
            self.left_out += 1
            return
        # Legs are dialled: the first message is Asterisk's own.
        self._here = self._here or source
        sent = source == self._here
        if sent:
            self.media_port = sip.audio_port(text) or self.media_port
        self.size += len(text)
        # Asterisk notes received messages in whole milliseconds: an answer must not come before its request.
        at = max(packet.at, before[-1].at) if before else packet.at
        self._unfolded.append(Message(at, sent, source, str(packet.destination), text))

    def packed(self) -> bytes:
        """As it is kept."""
        whole = msgspec.structs.replace(self, _unfolded=self.messages, _folded=b"")
        return zlib.compress(msgspec.json.encode(whole), 6)

    @classmethod
    def unpacked(cls, content: bytes) -> Self:
        """What was kept. Raises ValueError."""
        try:
            text = zlib.decompressobj().decompress(content, _LONGEST)
            return msgspec.json.decode(text, type=cls)
        except (zlib.error, msgspec.MsgspecError) as error:
            raise ValueError(f"a kept leg is unusable: {error}") from None

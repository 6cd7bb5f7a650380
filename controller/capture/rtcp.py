"""Quality of sound on a leg, from RTCP reports as Asterisk tells them in JSON.

A report says what its sender received. Loss and jitter are the sender's figures; the round trip follows from
when a report that answers one of ours came in (RFC 3550, section 6.4.1).
"""

from typing import Final

import msgspec

_NTP_EPOCH: Final = 2208988800
"""Seconds from 1900 to 1970."""
_SHORT_UNIT: Final = 65536
"""Of NTP's middle 32 bits, in a second."""
_CLOCK: Final = 8000
"""Hz, of the codecs that calls use."""
_LONGEST_TRIP: Final = 10.0
_WRAP: Final = 1 << 32


class RtcpError(Exception):
    """The payload is no report as Asterisk tells it."""


class _Sender(msgspec.Struct):
    packets: int = 0


class _Block(msgspec.Struct):
    source_ssrc: int = 0
    fraction_lost: int = 0
    packets_lost: int = 0
    highest_seq_no: int = 0
    ia_jitter: int = 0
    lsr: str | int = 0
    dlsr: int = 0


class _Report(msgspec.Struct):
    sender_information: _Sender | None = None
    report_blocks: list[_Block] = []


_DECODER: Final = msgspec.json.Decoder(_Report)


class Quality(msgspec.Struct):
    """Sound in one direction, as its receiver has reported it so far."""

    reports: int = 0
    packets: int = 0
    """Sent, as far as the sender said so."""
    lost: int = 0
    """Of all that was sent until the last report."""
    worst_loss: float = 0.0
    """Share that was lost between two reports, 0 to 1."""
    jitter: float = 0.0
    """Mean of the reports, in seconds."""
    worst_jitter: float = 0.0
    """In seconds."""
    round_trips: int = 0
    """Reports that a round trip follows from."""
    round_trip: float = 0.0
    """Mean, in seconds."""

    def add(self, block: _Block) -> None:
        self.reports += 1
        # Duplicates make it negative.
        self.lost = max(0, block.packets_lost)
        self.worst_loss = max(self.worst_loss, min(max(block.fraction_lost, 0), 256) / 256)
        jitter = max(0, block.ia_jitter) / _CLOCK
        self.jitter += (jitter - self.jitter) / self.reports
        self.worst_jitter = max(self.worst_jitter, jitter)

    def add_round_trip(self, seconds: float) -> None:
        self.round_trips += 1
        self.round_trip += (seconds - self.round_trip) / self.round_trips

    @property
    def loss(self) -> float:
        """Share of all packets, 0 to 1."""
        return min(self.lost / self.packets, 1.0) if self.packets else 0.0

    @property
    def mos(self) -> float:
        """What people would say of it, 1 to 4.5: the E-model of ITU-T G.107 for G.711 with concealed loss."""
        delay = 1000 * (self.round_trip / 2 + 2 * self.jitter + 0.02)
        rating = 93.2 - 0.024 * delay - (0.11 * (delay - 177.3) if delay > 177.3 else 0.0)
        percent = 100 * self.loss
        rating -= 95 * percent / (percent + 25.1)
        rating = min(max(rating, 0.0), 100.0)
        return round(1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6, 2)


class Qualities(msgspec.Struct):
    """Both directions of a leg: what the phone sends, and what it hears."""

    from_phone: Quality = msgspec.field(default_factory=Quality)
    to_phone: Quality = msgspec.field(default_factory=Quality)

    def take(self, payload: bytes, at: float, *, from_phone: bool) -> None:
        """Take in a report that the phone sent, or Asterisk did. Raises RtcpError.

        :param at: when, in seconds since 1970, by the node's clock.
        """
        try:
            report = _DECODER.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RtcpError(str(error)) from None
        # Who reports has received what the other one sent.
        received, sent = (self.to_phone, self.from_phone) if from_phone else (self.from_phone, self.to_phone)
        if report.sender_information is not None:
            sent.packets = max(sent.packets, report.sender_information.packets)
        for block in report.report_blocks:
            if not block.source_ssrc or not block.highest_seq_no:
                # Nothing had come yet.
                continue
            received.add(block)
            trip = _round_trip(block, at) if from_phone else None
            if trip is not None:
                received.add_round_trip(trip)
                sent.add_round_trip(trip)


def _round_trip(block: _Block, at: float) -> float | None:
    """Seconds; None if the report answers none of ours."""
    try:
        sent = int(block.lsr)
    except ValueError:
        return None
    if sent <= 0:
        return None
    now = int((at + _NTP_EPOCH) * _SHORT_UNIT) % _WRAP
    passed = ((now - sent - block.dlsr) % _WRAP) / _SHORT_UNIT
    # A clock that was set, or a phone that miscounts, makes it anything; a little below nothing is nothing.
    if passed > (_WRAP / _SHORT_UNIT) - 0.1:
        return 0.0
    return passed if passed <= _LONGEST_TRIP else None

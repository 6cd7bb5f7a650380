"""What arrives at the capture's port: anybody who can reach it may send anything."""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.capture.messages import SDP, answer, chunk, datagram, received, report, request, sent

from controller.capture import hep, sip
from controller.capture.gathering import Gathering
from controller.capture.rtcp import Qualities, RtcpError
from fuzz.effort import tries

pytestmark = pytest.mark.requirement("B4")

GOOD = [
    datagram(request("INVITE", body=SDP)),
    datagram(answer(200, "OK", body=SDP)),
    datagram(b'{"ssrc":1,"report_blocks":[]}', protocol=hep.RTCP),
]
_SIP = st.sampled_from(
    [
        request("INVITE", body=SDP),
        request("INFO", "Content-Type: application/dtmf-relay", body="Signal=5\r\n"),
        answer(180, "Ringing"),
        answer(401, "Unauthorized", "INVITE", 'WWW-Authenticate: Digest nonce="secret"'),
    ]
)
_NAMES = (
    *("ssrc", "type", "report_count", "sender_information", "packets", "report_blocks", "lsr", "dlsr"),
    *("source_ssrc", "fraction_lost", "packets_lost", "highest_seq_no", "ia_jitter", "ntp_timestamp"),
)
_REPORT = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(max_size=10) | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_NAMES),
            inner,
            max_size=6,
        )
    ),
    max_leaves=15,
)


@given(raw=st.binary(max_size=200), good=st.sampled_from(GOOD), at=st.integers(0, 400), cut=st.booleans())
@tries(150)
def test_given_a_datagram_with_damage_when_parsed_then_it_is_a_packet_or_none(
    raw: bytes, good: bytes, at: int, cut: bool
) -> None:
    damaged = good[:at] + raw + (b"" if cut else good[at + len(raw) :])
    for one in (raw, damaged, b"HEP3" + struct.pack("!H", 6 + len(raw)) + raw):
        try:
            packet = hep.parse(one)
        except hep.HepError as error:
            assert str(error)
        else:
            assert packet.at >= 0


@given(chunks=st.lists(st.tuples(st.integers(0, 20), st.binary(max_size=20)), max_size=14))
@tries(100)
def test_given_chunks_of_any_kind_and_length_when_parsed_then_it_is_a_packet_or_none(
    chunks: list[tuple[int, bytes]],
) -> None:
    body = b"".join(chunk(kind, content) for kind, content in chunks)
    try:
        hep.parse(b"HEP3" + struct.pack("!H", 6 + len(body)) + body)
    except hep.HepError as error:
        assert str(error)


@given(good=_SIP, raw=st.binary(max_size=60), at=st.integers(0, 300))
@tries(150)
def test_given_any_message_of_sip_when_gathered_and_shown_then_it_is_text_and_keeps_its_secrets(
    good: bytes, raw: bytes, at: int
) -> None:
    damaged = good[:at] + raw + good[at:]
    gathering = Gathering(10, lambda: 0.0)
    for message in (sent(good), received(damaged), sent(raw), received(good)):
        gathering.take(message)
        gathering.claim("1200_1", "a", "call-1")

    for leg in gathering.of_call("1200_1"):
        for message in leg.messages:
            message.text.encode()
            assert "\0" not in message.text
    assert "secret" not in sip.shown(good)
    sip.shown(damaged).encode()


@given(body=_REPORT, raw=st.binary(max_size=60), from_phone=st.booleans())
@tries(100)
def test_given_any_report_of_rtcp_when_taken_in_then_it_counts_or_is_refused(
    body: object, raw: bytes, from_phone: bool
) -> None:
    qualities = Qualities()
    for payload in (json.dumps(body).encode(), raw):
        try:
            qualities.take(payload, 1795684270.25, from_phone=from_phone)
        except RtcpError as error:
            assert str(error)
    for quality in (qualities.from_phone, qualities.to_phone):
        assert 1 <= quality.mos <= 4.5
        assert 0 <= quality.loss <= 1
    gathering = Gathering(10, lambda: 0.0)
    gathering.take(sent(request("INVITE", body=SDP)))
    gathering.claim("1200_1", "a", "call-1")
    gathering.take(report(json.dumps(body).encode(), from_phone=from_phone))

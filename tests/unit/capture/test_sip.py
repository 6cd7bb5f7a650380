"""SIP messages: what they are, and that nothing secret stays in them."""

import pytest
from unit.capture.messages import SDP, answer, request

from controller.capture import sip

pytestmark = pytest.mark.requirement("B4", "E3")


@pytest.mark.parametrize(
    "header",
    [
        'Authorization: Digest username="acme", response="5ecret"',
        'proxy-authorization : Digest response="5ecret"',
        'Proxy-Authorization: Digest username="acme",\r\n response="5ecret",\r\n\tnonce="5ecret"',
        'WWW-Authenticate: Digest nonce="5ecret"',
        'Proxy-Authenticate: Digest nonce="5ecret"',
    ],
)
def test_E3_given_an_answer_to_a_challenge_when_shown_then_it_is_masked_and_the_rest_is_there(
    header: str,
) -> None:
    text = sip.shown(request("INVITE", header, "Max-Forwards: 70", body=SDP))

    assert "5ecret" not in text
    assert sip.MASK in text
    assert "Max-Forwards: 70" in text
    assert "m=audio 14428" in text


def test_E3_given_keys_in_an_info_when_shown_then_they_are_masked() -> None:
    text = sip.shown(request("INFO", "Content-Type: application/dtmf-relay", body="Signal=7\r\nDuration=160"))

    assert "Signal" not in text
    assert "application/dtmf-relay" in text


def test_E3_given_keys_of_srtp_and_ice_when_shown_then_they_are_masked() -> None:
    body = SDP + "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:5ecret\r\na=ice-pwd:5ecret\r\na=sendrecv\r\n"
    text = sip.shown(request("INVITE", body=body))

    assert "5ecret" not in text
    assert "a=sendrecv" in text


def test_B4_given_a_huge_message_when_shown_then_it_is_cut() -> None:
    assert len(sip.shown(request("INVITE", body="x" * 100_000))) < sip.LONGEST + 10


@pytest.mark.parametrize(
    ("message", "text", "method"),
    [
        (request("INVITE"), "INVITE", "INVITE"),
        (answer(180, "Ringing"), "180 Ringing", "INVITE"),
        (answer(200, "OK", "BYE"), "200 OK", "BYE"),
        (answer(480, "暂时无法接通"), "480 暂时无法接通", "INVITE"),
        (b"\xff\xfe garbage", "", ""),
        (b"", "", ""),
        (b"SIP/2.0 99999 no status", "", ""),
    ],
)
def test_B4_given_a_message_when_read_then_its_first_line_says_what_it_is(
    message: bytes, text: str, method: str
) -> None:
    line = sip.line_of(sip.shown(message))

    assert (line.text, line.method) == (text, method)


def test_B4_given_an_sdp_when_read_then_port_and_codec_are_told() -> None:
    text = request("INVITE", body=SDP).decode()

    assert (sip.audio_port(text), sip.codec(text)) == (14428, "PCMA")
    assert (sip.audio_port("BYE"), sip.codec("BYE")) == (None, "")

"""HEPv3 from Asterisk, and what only looks like it."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.capture.messages import AT, NODE, PHONE, chunk, datagram, request

from controller.capture.hep import SIP, Address, HepError, Packet, parse

pytestmark = pytest.mark.requirement("B4")


def test_B4_given_a_datagram_of_asterisk_when_parsed_then_all_of_it_is_told() -> None:
    packet = parse(datagram(request("INVITE")))

    assert packet == Packet(AT, SIP, NODE, PHONE, "call-1", request("INVITE"))


def test_B4_given_ipv6_when_parsed_then_the_addresses_are_told() -> None:
    node, phone = Address("2001:db8::1", 5060), Address("2001:db8::2", 5062)

    packet = parse(datagram(b"x", source=node, destination=phone, family=10))

    assert (packet.source, str(packet.destination)) == (node, "[2001:db8::2]:5062")


def test_B4_given_chunks_of_a_vendor_when_parsed_then_they_mean_nothing() -> None:
    whole = datagram(b"right") + chunk(15, b"wrong", vendor=7)
    whole = whole[:4] + struct.pack("!H", len(whole)) + whole[6:]

    assert parse(whole).payload == b"right"


def test_B4_given_a_truncated_datagram_when_parsed_then_it_is_refused_at_every_length() -> None:
    whole = datagram(request("INVITE"))

    for length in range(len(whole)):
        with pytest.raises(HepError):
            parse(whole[:length])
        honest = whole[:length]
        if length >= 6:
            # With a header that says how long it is now: cut within a chunk, or chunks are missing.
            with pytest.raises(HepError):
                parse(honest[:4] + struct.pack("!H", length) + honest[6:])


@pytest.mark.parametrize("length", [0, 5, 7, 60000])
def test_B4_given_a_chunk_that_lies_about_its_length_when_parsed_then_it_is_refused(length: int) -> None:
    body = struct.pack("!HHH", 0, 15, length)
    with pytest.raises(HepError, match="chunk"):
        parse(b"HEP3" + struct.pack("!H", 6 + len(body)) + body)


@pytest.mark.parametrize(
    ("whole", "why"),
    [
        (b"", "too short"),
        (b"HEP2\x00\x06", "does not begin"),
        (datagram(b"x")[:-1], "says it has"),
        (datagram(b"x") + b"y", "says it has"),
        (datagram(b"x", sip_id="i" * 300), "correlation"),
    ],
)
def test_B4_given_what_is_no_hep_when_parsed_then_the_reason_is_told(whole: bytes, why: str) -> None:
    with pytest.raises(HepError, match=why):
        parse(whole)


def test_B4_given_another_address_family_or_compression_when_parsed_then_it_is_refused() -> None:
    strange = datagram(b"x").replace(chunk(1, b"\x02"), chunk(1, b"\x05"))
    with pytest.raises(HepError, match="family"):
        parse(strange)
    packed = datagram(b"x") + chunk(16, b"z")
    with pytest.raises(HepError, match="compressed"):
        parse(packed[:4] + struct.pack("!H", len(packed)) + packed[6:])


@given(st.binary(max_size=300))
def test_B4_given_any_bytes_when_parsed_then_there_is_a_packet_or_a_hep_error(junk: bytes) -> None:
    for whole in (junk, b"HEP3" + struct.pack("!H", 6 + len(junk)) + junk):
        try:
            parse(whole)
        except HepError as error:
            assert str(error)

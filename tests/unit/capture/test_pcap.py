"""Capture files, read back byte by byte."""

import ipaddress
import struct
from dataclasses import dataclass

import pytest

from controller.capture.leg_capture import Message
from controller.capture.pcap import pcap

pytestmark = pytest.mark.requirement("B4")


@dataclass
class Frame:
    at: float
    ether_type: int
    source: str
    destination: str
    ports: tuple[int, int]
    payload: bytes


def ones_sum(content: bytes) -> int:
    padded = content + b"\0" * (len(content) % 2)
    total = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def frames(file: bytes) -> list[Frame]:
    magic, major, minor, _zone, _digits, _longest, link = struct.unpack_from("<IHHiIII", file)
    assert (magic, major, minor, link) == (0xA1B2C3D4, 2, 4, 1)
    place, found = 24, []
    while place < len(file):
        seconds, micro, kept, whole = struct.unpack_from("<IIII", file, place)
        assert kept == whole
        frame = file[place + 16 : place + 16 + kept]
        place += 16 + kept
        (ether_type,) = struct.unpack_from("!H", frame, 12)
        packet = frame[14:]
        if ether_type == 0x0800:
            assert packet[0] == 0x45
            assert ones_sum(packet[:20]) == 0xFFFF
            assert struct.unpack_from("!H", packet, 2)[0] == len(packet)
            source, destination, udp = packet[12:16], packet[16:20], packet[20:]
            assert packet[9] == 17
        else:
            source, destination, udp = packet[8:24], packet[24:40], packet[40:]
            assert packet[6] == 17
        begin, end, length, _sum = struct.unpack_from("!HHHH", udp)
        assert length == len(udp)
        assert ones_sum(source + destination + struct.pack("!HH", 17, length) + udp) == 0xFFFF
        found.append(
            Frame(
                seconds + micro / 1e6,
                ether_type,
                str(ipaddress.ip_address(source)),
                str(ipaddress.ip_address(destination)),
                (begin, end),
                udp[8:],
            )
        )
    return found


def test_B4_given_messages_when_written_then_headers_and_checksums_are_right() -> None:
    written = pcap(
        [
            Message(1795684270.216001, True, "10.0.0.1:5060", "192.0.2.7:5062", "INVITE x\r\n\r\n"),
            Message(
                1795684270.5, False, "[2001:db8::2]:5062", "[2001:db8::1]:5060", "SIP/2.0 180 响铃\r\n\r\n"
            ),
        ]
    )

    first, second = frames(written)
    assert (first.source, first.destination, first.ports) == ("10.0.0.1", "192.0.2.7", (5060, 5062))
    assert (first.payload, first.at) == (b"INVITE x\r\n\r\n", pytest.approx(1795684270.216001, abs=1e-6))
    assert (second.ether_type, second.source) == (0x86DD, "2001:db8::2")
    assert second.payload.decode() == "SIP/2.0 180 响铃\r\n\r\n"


def test_B4_given_no_messages_when_written_then_it_is_an_empty_capture() -> None:
    assert frames(pcap([])) == []
    assert len(pcap([])) == 24


def test_B4_given_a_message_that_fits_no_datagram_when_written_then_it_is_cut() -> None:
    (frame,) = frames(pcap([Message(1.0, True, "10.0.0.1:1", "10.0.0.2:2", "x" * 70_000)]))
    assert 60_000 < len(frame.payload) < 65_500

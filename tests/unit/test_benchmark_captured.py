"""What the benchmarks' fake nodes say of legs is what capture takes of Asterisk's."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from benchmarks.captured import CapturedLegs
from controller.capture.hep import parse
from controller.capture.leg_capture import LegCapture
from controller.capture.sip import line_of


@pytest.fixture
def port() -> Iterator[socket.socket]:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(5)
        yield receiver


def test_given_a_leg_that_is_answered_and_ends_when_told_then_capture_has_its_messages_and_sees_it_end(
    port: socket.socket,
) -> None:
    its = {"protocol_id": "1200_1.a@fake"}
    with CapturedLegs(port.getsockname()[1]) as legs:
        for event in (
            {"type": "Dial", "dialstatus": "", "peer": its},
            {"type": "ChannelStateChange", "channel": its},
            {"type": "Dial", "dialstatus": "ANSWER", "peer": its},
            {"type": "ChannelDestroyed", "channel": its},
        ):
            legs.tell(event)
    leg = LegCapture("1200_1", "a", "1200_1.a@fake")
    for _ in range(9):
        leg.add(parse(port.recv(65535)))

    said = [(message.sent, line_of(message.text).text) for message in leg.messages]
    assert said == [
        (True, "INVITE"),
        (False, "100 Trying"),
        (False, "180 Ringing"),
        (False, "200 OK"),
        (True, "ACK"),
        (True, "BYE"),
        (False, "200 OK"),
    ]
    for message in leg.messages:
        head, _, body = message.text.partition("\r\n\r\n")
        assert int(head.rpartition("Content-Length:")[2]) == len(body)
    assert leg.is_over
    assert (leg.qualities.from_phone.reports, leg.qualities.to_phone.reports) == (1, 1)

"""Whose messages are whose, and what is shed."""

import msgspec
import pytest
from unit.capture.messages import AT, SDP, answer, received, report, request, sent

from controller.capture.gathering import Gathering
from controller.capture.leg_capture import MOST_MESSAGES, LegCapture

pytestmark = pytest.mark.requirement("B4")

INVITE = request("INVITE", body=SDP)


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def encoded_size(leg: LegCapture) -> int:
    """Bytes that are held for it, as far as its own fields tell."""
    return len(msgspec.msgpack.encode(leg))


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def gathering(time: Time) -> Gathering:
    return Gathering(10, time)


def texts(leg: LegCapture) -> list[tuple[bool, str]]:
    return [(message.sent, message.text.split(" sip:")[0].split("\r\n")[0]) for message in leg.messages]


def test_B4_given_an_invite_before_its_leg_is_known_when_claimed_then_the_leg_has_it(
    gathering: Gathering,
) -> None:
    gathering.take(sent(INVITE))
    gathering.take(received(answer(180, "Ringing")))
    gathering.claim("1200_1", "a", "call-1")
    gathering.take(received(answer(200, "OK", body=SDP)))

    (leg,) = gathering.of_call("1200_1")
    assert texts(leg) == [(True, "INVITE"), (False, "SIP/2.0 180 Ringing"), (False, "SIP/2.0 200 OK")]
    assert leg.media_port == 14428


def test_B4_given_an_answer_noted_in_whole_milliseconds_when_taken_then_it_is_not_before_its_request(
    gathering: Gathering,
) -> None:
    gathering.claim("1200_1", "a", "call-1")
    gathering.take(sent(request("BYE"), at=10.0007))
    gathering.take(received(answer(200, "OK", "BYE"), at=10.0))

    (leg,) = gathering.of_call("1200_1")
    assert [message.at for message in leg.messages] == [10.0007, 10.0007]


def test_B4_given_a_leg_over_two_trunks_when_asked_for_then_both_dialogs_are_there(
    gathering: Gathering,
) -> None:
    for sip_id in ("call-1", "call-2"):
        gathering.claim("1200_1", "a", sip_id)
        gathering.take(sent(INVITE, sip_id=sip_id))

    assert [leg.sip_id for leg in gathering.of_call("1200_1")] == ["call-1", "call-2"]


def test_B4_given_dialogs_of_nobody_when_they_are_many_then_the_oldest_are_forgotten(
    gathering: Gathering,
) -> None:
    gathering.take(sent(request("OPTIONS"), sip_id="ping"))
    for number in range(3000):
        gathering.take(sent(INVITE, sip_id=f"stranger-{number}"))
    gathering.claim("1200_1", "a", "stranger-0")
    gathering.claim("1200_2", "a", "stranger-2999")
    gathering.claim("1200_3", "a", "ping")

    found = [leg.messages for number in (1, 2, 3) for leg in gathering.of_call(f"1200_{number}")]
    assert [len(messages) for messages in found] == [0, 1, 0]


def test_B4_given_more_legs_than_the_rate_when_claimed_then_whole_legs_are_shed_until_time_passes(
    gathering: Gathering, time: Time
) -> None:
    for number in range(30):
        gathering.claim(f"1200_{number}", "a", f"call-{number}")
    kept = [number for number in range(30) if gathering.of_call(f"1200_{number}")]
    time.now = 1.0
    gathering.claim("1200_99", "a", "call-99")

    assert kept == list(range(20))
    assert gathering.was_shed("1200_29")
    assert not gathering.was_shed("1200_0")
    assert gathering.of_call("1200_99")


def test_B4_given_shed_legs_when_their_messages_come_then_they_push_out_none_that_waits(
    gathering: Gathering, time: Time
) -> None:
    gathering.take(sent(INVITE, sip_id="waits"))
    for number in range(2000):
        gathering.claim(f"1200_{number}", "a", f"call-{number}")
        gathering.take(sent(INVITE, sip_id=f"call-{number}"))
    time.now = 1.0
    gathering.claim("1200_waits", "a", "waits")

    (leg,) = gathering.of_call("1200_waits")
    assert texts(leg) == [(True, "INVITE")]


def test_B4_given_reports_when_taken_then_they_are_counted_by_direction(gathering: Gathering) -> None:
    block = b'{"report_blocks":[{"source_ssrc":1,"highest_seq_no":9}],"sender_information":{"packets":50}}'
    gathering.claim("1200_1", "a", "call-1")
    gathering.take(sent(INVITE))
    gathering.take(report(block, from_phone=True))
    gathering.take(report(b"nonsense", from_phone=True))

    (leg,) = gathering.of_call("1200_1")
    assert (leg.qualities.to_phone.reports, leg.qualities.from_phone.packets) == (1, 50)
    assert leg.left_out == 1


@pytest.mark.parametrize(
    "ending",
    [
        [sent(request("BYE")), received(answer(200, "OK", "BYE"))],
        [received(answer(486, "Busy Here")), sent(request("ACK"))],
    ],
)
def test_B4_given_a_dialog_that_is_over_when_it_stays_quiet_then_it_can_be_put_away(
    gathering: Gathering, time: Time, ending: list
) -> None:
    gathering.claim("1200_1", "a", "call-1")
    gathering.take(sent(INVITE))
    time.now = 4.0
    assert list(gathering.finished()) == []
    for packet in ending:
        gathering.take(packet)
    assert list(gathering.finished()) == []
    time.now = 8.0

    (leg,) = gathering.finished()
    # It could not be put away yet.
    assert list(gathering.finished()) == [leg]
    gathering.drop(leg)
    assert gathering.of_call("1200_1") == gathering.all() == []


def test_B4_given_a_leg_that_goes_on_when_it_is_looked_at_again_then_its_messages_are_not_read_again(
    gathering: Gathering, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    monkeypatch.setattr(LegCapture, "is_over", property(lambda leg: looks.append(leg.sip_id)))
    gathering.claim("1200_1", "a", "call-1")
    gathering.take(sent(INVITE))
    for time.now in (4.0, 5.0, 6.0):
        assert list(gathering.finished()) == []
    assert looks == ["call-1"]

    gathering.take(received(answer(180, "Ringing")))
    time.now = 10.0
    assert list(gathering.finished()) == []
    assert looks == ["call-1"] * 2


def test_B4_given_an_answered_leg_with_rtcp_when_it_says_no_more_then_it_takes_less_memory_and_tells_the_same(
    gathering: Gathering, time: Time
) -> None:
    gathering.claim("1200_1", "a", "call-1")
    for packet in (sent(INVITE), received(answer(200, "OK", body=SDP)), sent(request("ACK"))):
        gathering.take(packet)
    (leg,) = gathering.of_call("1200_1")
    said, loose = leg.messages, encoded_size(leg)
    for time.now in (2.0, 4.0):
        gathering.take(report(b'{"report_blocks":[]}', from_phone=True))
        assert list(gathering.finished()) == []

    assert leg.messages == said
    assert LegCapture.unpacked(leg.packed()).messages == said
    assert encoded_size(leg) < 0.6 * loose

    for packet in (sent(request("BYE"), at=AT - 1), received(answer(200, "OK", "BYE"))):
        gathering.take(packet)
    assert leg.messages[:3] == said
    assert [message.at for message in leg.messages] == [AT] * 5
    time.now = 8.0
    assert list(gathering.finished()) == [leg]


def test_B4_given_a_leg_that_is_folded_again_and_again_when_full_then_the_rest_is_left_out(
    gathering: Gathering,
) -> None:
    gathering.claim("1200_1", "a", "call-1")
    (leg,) = gathering.of_call("1200_1")
    for _ in range(MOST_MESSAGES + 5):
        gathering.take(sent(INVITE))
        leg.fold()

    assert (len(leg.messages), leg.left_out) == (MOST_MESSAGES, 5)
    assert leg.size == MOST_MESSAGES * len(INVITE)


def test_B4_given_a_leg_whose_end_is_lost_when_nothing_comes_for_long_then_it_is_put_away(
    gathering: Gathering, time: Time
) -> None:
    gathering.claim("1200_1", "a", "call-1")
    gathering.take(sent(INVITE))
    time.now = 600.0
    assert not list(gathering.finished())
    time.now = 1000.0
    assert len(list(gathering.finished())) == 1


def test_B4_given_a_leg_that_never_ends_talking_when_full_then_the_rest_is_left_out(
    gathering: Gathering,
) -> None:
    gathering.claim("1200_1", "a", "call-1")
    for _ in range(MOST_MESSAGES + 5):
        gathering.take(sent(INVITE))

    (leg,) = gathering.of_call("1200_1")
    assert (len(leg.messages), leg.left_out) == (MOST_MESSAGES, 5)


def test_B4_given_a_leg_when_packed_and_unpacked_then_it_is_the_same(gathering: Gathering) -> None:
    gathering.claim("1200_1", "b", "call-1")
    gathering.take(sent(INVITE))
    (leg,) = gathering.of_call("1200_1")

    assert LegCapture.unpacked(leg.packed()) == leg
    for broken in (b"", b"x", leg.packed()[:-9]):
        with pytest.raises(ValueError, match="unusable"):
            LegCapture.unpacked(broken)

"""Quality of sound from RTCP reports as Asterisk tells them."""

import json
from typing import Any

import pytest

from controller.capture.rtcp import Qualities, Quality, RtcpError

pytestmark = pytest.mark.requirement("B4")

NTP_EPOCH = 2208988800


def told(packets: int = 250, **block: Any) -> bytes:
    blocks = [{"source_ssrc": 1, "highest_seq_no": 9, **block}]
    sender = {"packets": packets, "octets": 1, "ntp_timestamp_sec": "1", "rtp_timestamp": 1}
    return json.dumps(
        {"ssrc": 7, "type": 200, "sender_information": sender, "report_blocks": blocks}
    ).encode()


def test_B4_given_reports_of_both_sides_when_taken_then_each_tells_of_what_the_other_sent() -> None:
    both = Qualities()

    both.take(told(packets=200, packets_lost=10, fraction_lost=64, ia_jitter=80), 0.0, from_phone=True)
    both.take(told(packets=400), 0.0, from_phone=False)

    heard = both.to_phone
    assert (heard.packets, heard.lost, heard.loss, heard.worst_loss) == (400, 10, 0.025, 0.25)
    assert heard.jitter == pytest.approx(0.01)
    assert (both.from_phone.packets, both.from_phone.lost) == (200, 0)


def test_B4_given_a_report_that_answers_ours_when_taken_then_the_round_trip_follows() -> None:
    both, now = Qualities(), 1795684270.25
    here = (now + NTP_EPOCH) % 65536
    # Ours went 1.2 s ago, and the phone kept it for 1.0 s.
    sent, kept = round((here - 1.2) * 65536) % (1 << 32), 65536

    both.take(told(lsr=str(sent), dlsr=kept), now, from_phone=True)

    assert both.to_phone.round_trip == pytest.approx(0.2, abs=0.001)
    assert both.from_phone.round_trips == 1


@pytest.mark.parametrize(
    "block", [{"lsr": "0"}, {"lsr": "nonsense"}, {"lsr": "123456", "dlsr": 0}, {"lsr": -5}]
)
def test_B4_given_a_report_that_answers_nothing_of_ours_when_taken_then_there_is_no_round_trip(
    block: dict[str, Any],
) -> None:
    both = Qualities()
    both.take(told(**block), 1795684270.25, from_phone=True)
    assert (both.to_phone.reports, both.to_phone.round_trips) == (1, 0)


@pytest.mark.parametrize("block", [{"source_ssrc": 0}, {"highest_seq_no": 0}])
def test_B4_given_a_report_of_nothing_received_when_taken_then_it_does_not_count(
    block: dict[str, Any],
) -> None:
    both = Qualities()
    both.take(told(**block), 0.0, from_phone=True)
    assert both.to_phone.reports == 0


@pytest.mark.parametrize(
    "junk", [b"", b"{", b"[]", b'{"report_blocks": 5}', b"\xff", b'{"report_blocks":[{"lsr":[]}]}']
)
def test_B4_given_no_report_when_taken_then_it_is_refused(junk: bytes) -> None:
    with pytest.raises(RtcpError):
        Qualities().take(junk, 0.0, from_phone=True)


def test_B4_given_loss_and_delay_when_rated_then_the_score_falls() -> None:
    clean = Quality(reports=1, packets=1000)
    lossy = Quality(reports=1, packets=1000, lost=50)
    slow = Quality(reports=1, packets=1000, round_trips=1, round_trip=1.0)
    dead = Quality(reports=1, packets=1000, lost=1000, jitter=3.0)

    assert 4.3 <= clean.mos <= 4.5
    assert clean.mos > lossy.mos > dead.mos >= 1
    assert clean.mos > slow.mos >= 1


def test_B4_given_duplicates_when_reported_then_nothing_is_lost() -> None:
    both = Qualities()
    both.take(told(packets_lost=-3, ia_jitter=-1, fraction_lost=999), 0.0, from_phone=True)
    assert (both.to_phone.lost, both.to_phone.loss, both.to_phone.jitter) == (0, 0.0, 0.0)

"""What a call detail record says of a recording."""

from datetime import UTC, datetime, timedelta

import pytest
from unit.calls.support import CALLEE, HOST, SHOWN, SteadyClock, call_request

from controller.calls.call import Callback, LiveCall
from controller.calls.cdr import make_cdr, recording_of
from controller.calls.outcome import NORMAL
from controller.calls.timeline import Entry, Kind, Timeline

ANSWERED = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def recorded_callback() -> LiveCall:
    """B answered at ANSWERED, and was recorded from then on; A has waited for ten seconds."""
    happened = [
        (Kind.ANSWER, "a", timedelta(seconds=-10)),
        (Kind.ANSWER, "b", timedelta()),
        (Kind.RECORDING, None, timedelta(milliseconds=40)),
    ]
    entries = [Entry(number, ANSWERED + at, kind, leg) for number, (kind, leg, at) in enumerate(happened)]
    request = call_request(plan=Callback(CALLEE, SHOWN, record=True))
    return LiveCall("id", f"id@{HOST}", request, SteadyClock(), lambda *_: None, Timeline(entries))


@pytest.mark.requirement("A1.5")
@pytest.mark.parametrize(
    ("talk", "name"), [(2.999, None), (3.0, "id.wav")], ids=["just under 3 s", "just 3 s"]
)
def test_A1_5_given_a_recorded_call_when_its_talk_is_under_3_s_then_its_record_has_no_recording(
    talk: float, name: str | None
) -> None:
    call, ended_at = recorded_callback(), ANSWERED + timedelta(seconds=talk)

    cdr, recorded = make_cdr(call, NORMAL, ended_at, HOST), recording_of(call, ended_at)

    assert recorded is not None and recorded.kept is (name is not None)
    assert cdr.recording_name == name
    assert (cdr.recording_started_at is None) is (name is None)

"""Everything about one call: legs and their times, steps, pushes, cost, recording, and the picture."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from service.details.stories import SHOWN, SHOWN_TO_B, A, B, Happening, callback, details_of, lived, told
from service.details.support import NOW, Desk
from sqlmodel import Session

from controller.calls import outcome as ends
from controller.calls.timeline import Kind
from controller.details.picture import timeline_svg
from controller.details.waveform import peaks
from controller.prompts import alaw, wav
from controller.recordings.files import recording_path
from controller.store.billing_tables import RatedCall, Settlement
from controller.store.tables import PushAttempt, Recording

pytestmark = pytest.mark.requirement("B4")

TALKED: list[Happening] = [
    (0.1, Kind.CALLOUT, "a", {"trunk": "carrier-a"}),
    (2.1, Kind.ALERTING, "a", None),
    (5.1, Kind.ANSWER, "a", None),
    (5.2, Kind.PROMPT, "a", {"prompt": "pre.wav", "collects": 0}),
    (8.0, Kind.CALLOUT, "b", {"trunk": "carrier-a"}),
    (
        8.4,
        Kind.FAILOVER,
        "b",
        {"trunk": "carrier-b", "failed": {"trunk": "carrier-a", "sip_status": 503, "cause": 34}},
    ),
    (9.0, Kind.ALERTING, "b", None),
    (14.0, Kind.ANSWER, "b", None),
    (14.1, Kind.RECORDING, None, {"name": "x"}),
]


async def test_B4_given_a_callback_when_told_then_both_legs_have_their_times_and_what_they_heard(
    calls: Desk,
) -> None:
    report = await told(calls, TALKED, ends.NORMAL.on_leg("b"), 44.0, plan=callback(record=True))

    a, b = report.legs
    assert (a.number, a.shown, b.number, b.shown) == (A.e164, SHOWN.e164, B.e164, SHOWN_TO_B.e164)
    assert (a.ring_seconds, a.talk_seconds, b.ring_seconds, b.talk_seconds) == (3.0, 38.9, 5.0, 30.0)
    assert (
        (a.trunk, b.trunk)
        == ("carrier-a", "carrier-b")
        == (
            report.decisions.first_trunk,
            report.decisions.second_trunk,
        )
    )
    assert report.decisions.failovers == [
        "trunk carrier-a answered 503 Service Unavailable; B is called over carrier-b"
    ]
    spans = [
        (span.kind, (span.begins - NOW).total_seconds(), (span.ends - NOW).total_seconds())
        for span in a.spans
    ]
    assert spans == [
        ("dialling", 0.1, 2.1),
        ("ringing", 2.1, 5.1),
        ("prompt", 5.2, 8.0),
        ("waiting", 8.0, 14.0),
        ("talking", 14.0, 44.0),
    ]
    assert [step.seconds for step in report.steps] == sorted(step.seconds for step in report.steps)


async def test_B4_given_a_callback_when_told_then_its_options_are_there_without_paths(calls: Desk) -> None:
    report = await told(calls, TALKED, ends.NORMAL, 44.0, plan=callback(record=True, max_minutes=3))

    assert report.request.options is not None
    assert report.request.options["wait_voice"] == "wait.wav"
    assert report.request.options["max_minutes"] == 3
    assert report.request.user_data == "order 7"
    assert "secret-path" not in report.model_dump_json()


@pytest.mark.parametrize(("masked", "shown"), [(False, "258025802580"), (True, "•" * 12)])
async def test_B4_given_pressed_keys_when_told_then_they_are_masked_if_the_operator_says_so(
    calls: Desk, masked: bool, shown: str
) -> None:
    happenings: list[Happening] = [
        (0.1, Kind.CALLOUT, "a", None),
        (1.0, Kind.ANSWER, "a", None),
        (1.1, Kind.PROMPT, "a", {"prompt": "menu.wav", "collects": 12}),
        (4.0, Kind.COLLECTED, "a", {"digits": "258025802580"}),
    ]
    session_id = await lived(calls, happenings, ends.NORMAL, 5.0)
    report = await details_of(calls, mask_digits=masked).report(session_id, of_account=None)

    assert report is not None
    assert f"the callee pressed {shown}" in [step.text for step in report.steps]
    assert ("258025802580" in report.model_dump_json()) is not masked


async def test_B4_given_pushes_a_price_and_a_recording_when_told_then_all_of_it_is_there(
    calls: Desk,
) -> None:
    session_id = await lived(calls, TALKED, ends.NORMAL.on_leg("b"), 44.0, plan=callback(record=True))
    call_id = session_id.partition("@")[0]
    details = details_of(calls)
    path = recording_path(details.settings.recording_dir, call_id, NOW)
    path.parent.mkdir(parents=True)
    path.write_bytes(wav.write(alaw.encode(np.full(8000, 8000, np.int16))))

    def more(session: Session) -> None:
        session.add(Settlement(id=1, started_at=NOW, until=NOW))
        session.flush()
        session.add(
            RatedCall(
                call_id=call_id,
                settlement_id=1,
                account_id="acme",
                app_key="acme-2",
                service="callback",
                ended_at=NOW,
                day="2026-11-24",
                legs=2,
                seconds=60,
                minutes=2,
                minute_price=Decimal("0.18"),
                amount=Decimal("0.36"),
            )
        )
        session.add(
            Recording(
                call_id=call_id,
                account_id="acme",
                name=f"{call_id}.wav",
                node="node1",
                state="stored",
                started_at=NOW,
                seconds=1.0,
            )
        )
        for attempt, status in ((1, 500), (2, 200)):
            session.add(
                PushAttempt(
                    call_id=call_id,
                    message_id="msg_1",
                    app_key="acme-2",
                    url="https://customer.example/status",
                    event_type="answer",
                    sequence=2,
                    attempt=attempt,
                    at=NOW + timedelta(seconds=14 + attempt),
                    latency_ms=12,
                    status=status,
                )
            )

    await calls.database.write(more)
    report = await details.report(session_id, of_account="acme")

    assert report is not None
    assert [(push.attempt, push.status) for push in report.pushes] == [(1, 500), (2, 200)]
    assert "push of answer, attempt 2: 200 after 12 ms" in [step.text for step in report.steps]
    assert report.cost is not None
    assert json.loads(report.model_dump_json())["cost"] == {
        "amount": "0.36",
        "minute_price": "0.18",
        "minutes": 2,
        "legs": 2,
    }
    assert report.recording is not None
    assert report.recording.link is not None
    assert report.recording.link.startswith(f"/recordings/{call_id}.wav?expires=")
    assert len(report.recording.peaks) == 400
    assert all(abs(peak - 8000 / 32768) < 0.02 for peak in report.recording.peaks)


async def test_B4_given_nothing_but_the_call_when_told_then_nothing_else_is_made_up(calls: Desk) -> None:
    report = await told(calls, [], ends.SPEECH_FAILED, 1.0)

    assert report.cost is None
    assert report.recording is None
    assert report.cdr_delivery is None
    assert report.pushes == []
    assert report.legs[0].spans == []


async def test_B4_given_a_recording_whose_file_is_gone_when_told_then_it_has_no_shape(calls: Desk) -> None:
    session_id = await lived(calls, TALKED, ends.NORMAL, 44.0, plan=callback(record=True))
    call_id = session_id.partition("@")[0]
    recording = Recording(
        call_id=call_id, account_id="acme", name="x.wav", node="n", state="stored", started_at=NOW
    )
    await calls.database.write(lambda session: session.add(recording))
    report = await details_of(calls).report(session_id, of_account=None)

    assert report is not None
    assert report.recording is not None
    assert report.recording.peaks == []


def test_B4_given_a_loud_half_and_a_quiet_one_when_drawn_then_the_peaks_show_it(tmp_path: Path) -> None:
    loud, quiet = np.full(4000, 16000, np.int16), np.zeros(4000, np.int16)
    file = tmp_path / "x.wav"
    file.write_bytes(wav.write(alaw.encode(np.concatenate([loud, quiet]))))

    found = peaks(file, 4)

    assert [peak > 0.4 for peak in found] == [True, True, False, False]


async def test_B4_given_a_callback_when_drawn_then_the_picture_has_each_span_where_it_was(
    calls: Desk,
) -> None:
    report = await told(calls, TALKED, ends.NORMAL.on_leg("b"), 44.0, plan=callback())
    picture = ElementTree.fromstring(timeline_svg(report))
    bars = list(picture.iter("{http://www.w3.org/2000/svg}rect"))
    talking = [bar for bar in bars if bar.get("data-kind") == "talking"]

    assert [bar.get("data-kind") for bar in bars] == [span.kind for leg in report.legs for span in leg.spans]
    # 30 of 44 seconds, at both legs alike, up to the right end.
    assert len({(bar.get("x"), bar.get("width")) for bar in talking}) == 1
    x, width = float(talking[0].get("x", "0")), float(talking[0].get("width", "0"))
    assert width == pytest.approx(790 * 30 / 44, abs=1)
    assert x + width == pytest.approx(940, abs=1)
    assert len(talking) == 2


async def test_B4_given_a_prompt_named_like_markup_when_drawn_then_the_picture_stays_well_formed(
    calls: Desk,
) -> None:
    happenings: list[Happening] = [
        (0.1, Kind.CALLOUT, "a", None),
        (1.0, Kind.ANSWER, "a", None),
        (1.1, Kind.PROMPT, "a", {"prompt": '<script>"&', "collects": 0}),
    ]
    picture = timeline_svg(await told(calls, happenings, ends.NORMAL, 60.0))

    assert "<script>" not in picture
    ElementTree.fromstring(picture)


NEWER: list[Happening] = [
    *TALKED[:3],
    # As a newer version may have it.
    (5.1, "whisper", "a", {"to": "a"}),  # type: ignore[list-item]
    *TALKED[3:],
]


async def test_B4_given_an_entry_that_only_a_newer_version_knows_when_told_then_all_else_is(
    calls: Desk,
) -> None:
    known = await told(calls, TALKED, ends.NORMAL, 44.0, plan=callback())
    report = await told(calls, NEWER, ends.NORMAL, 44.0, plan=callback())

    assert [step.text for step in report.steps] == [step.text for step in known.steps]
    assert report.legs == known.legs
    ElementTree.fromstring(timeline_svg(report))

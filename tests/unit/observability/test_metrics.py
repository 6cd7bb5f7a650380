"""What is counted, and that no label holds what is nobody's business."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from unit.calls.support import SteadyClock, call_request, item

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry, Kind
from controller.observability.metrics import Metrics
from controller.observability.room import Observability
from controller.pushes.push import Endpoint, Push
from controller.pushes.receiver import Delivery, Failure

DOCS = Path(__file__).parents[3] / "docs" / "observability"
BEGIN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


def _ended_call(metrics: Metrics) -> LiveCall:
    return _call(
        metrics,
        (Kind.ACCEPTED, None, 0.0, {}),
        (Kind.CALLOUT, "a", 0.02, {}),
        (Kind.ANSWER, "a", 3.02, {}),
        (Kind.DISCONNECT, None, 13.02, {"state_code": 0}),
    )


def _spoken_call(metrics: Metrics) -> None:
    """Its texts were speech after 4 s, with 9 s of work."""
    _call(
        metrics,
        (Kind.ACCEPTED, None, 0.0, {}),
        (Kind.SPEECH, None, 4.0, {"seconds": 9.0}),
        (Kind.CALLOUT, "a", 4.02, {}),
    )


def _call(metrics: Metrics, *happened: tuple[Kind, str | None, float, dict[str, float]]) -> LiveCall:
    call = LiveCall("1200_1_1_x", "1200_1_1_x@host", call_request(item("one")), SteadyClock(), metrics.tell)
    for number, (kind, leg, seconds, detail) in enumerate(happened):
        entry = Entry(number, BEGIN + timedelta(seconds=seconds), kind, leg, detail)
        call.timeline.add(entry)
        metrics.tell(call, entry)
    return call


def _push(**more: object) -> Push:
    return Push("app", "http://receiver/x", "msg", "answer", b"{}", ("1200_1_1_x",), 1, 1, BEGIN)


def _values(metrics: Metrics) -> dict[str, float]:
    lines = metrics.exposition().decode().splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


@pytest.mark.requirement("E3")
def test_given_a_call_when_it_is_over_then_its_times_and_end_are_counted() -> None:
    metrics = Metrics("host")
    _ended_call(metrics)
    values = _values(metrics)
    assert values['voicecall_calls_ended_total{service="notification",state_code="0"}'] == 1
    assert values['voicecall_legs_answered_total{leg="a",service="notification"}'] == 1
    assert values['voicecall_call_setup_seconds_sum{service="notification"}'] == pytest.approx(0.02)
    assert values['voicecall_leg_answer_seconds_sum{leg="a",service="notification"}'] == pytest.approx(3)
    assert values['voicecall_call_talk_seconds_sum{service="notification"}'] == pytest.approx(10)


@pytest.mark.requirement("E3")
def test_given_a_call_that_says_texts_when_dialled_then_synthesis_is_counted_by_itself() -> None:
    metrics = Metrics("host")
    _spoken_call(metrics)
    values = _values(metrics)
    assert values['voicecall_call_speech_seconds_sum{service="notification"}'] == pytest.approx(4)
    assert values['voicecall_call_setup_seconds_sum{service="notification"}'] == pytest.approx(0.02)


@pytest.mark.requirement("E3")
def test_given_pushes_when_attempted_then_outcome_and_lag_are_counted() -> None:
    metrics = Metrics("host")
    metrics.pushed(_push(), Delivery(200, latency_ms=100), BEGIN + timedelta(seconds=1))
    metrics.pushed(_push(), Delivery(None, Failure.TIMEOUT, latency_ms=5000), BEGIN)
    values = _values(metrics)
    assert values['voicecall_push_attempts_total{event="answer",outcome="accepted"}'] == 1
    assert values['voicecall_push_attempts_total{event="answer",outcome="timeout"}'] == 1
    assert values['voicecall_push_lag_seconds_sum{event="answer"}'] == pytest.approx(1.1)


@pytest.mark.requirement("E3")
def test_given_calls_when_scraped_then_no_number_session_or_text_is_shown() -> None:
    metrics = Metrics("host")
    call = _ended_call(metrics)
    text = metrics.exposition().decode()
    for secret in (call.id, call.request.callee.e164, call.request.display_number.e164, "one"):
        assert f'"{secret}' not in text


@pytest.mark.requirement("E3")
async def test_given_the_shipped_board_and_alerts_when_read_then_it_is_ours_and_ours_is_documented() -> None:
    metrics = Metrics("host")
    room = Observability(metrics, None)
    room.look_at(
        live_calls=lambda: [_ended_call(metrics)],
        app_limit=lambda _app: 10,
        account_limit=lambda _account: 20,
        nodes=lambda: {"node1": True},
        nodes_draining=lambda: {"node1": True},
        node_calls=lambda: {"node1": 1},
        trunks=lambda: {"carrier": True},
        commands_in_flight=lambda: 0,
        writes_waiting=lambda: 0,
        pushes_inside=lambda: 0,
        cdrs_waiting=lambda: 7,
        recordings_waiting=lambda: {"node1": 3},
        endpoints_disabled=lambda: [Endpoint("app", "http://receiver/x")],
        clock_ahead=lambda: 0.7,
        speech={f"prompts_{name}": lambda: 0 for name in ("made", "reused", "under_way")},
    )
    metrics.judged({"database": True})
    _spoken_call(metrics)
    metrics.pushed(_push(), Delivery(200), BEGIN)
    metrics.answered("/x", "GET", 200, 0.1)
    told = {line.split("{")[0].split(" ")[0] for line in metrics.exposition().decode().splitlines()}
    board = json.loads((DOCS / "grafana-dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked.append((DOCS / "alerts.yml").read_text())
    named = {name for text in asked for name in re.findall(r"\b(?:voicecall|process)_[a-z_]+", text)}
    assert named
    assert named - told == set()
    manual = (DOCS.parent / "how-to/observe.md").read_text("utf-8")
    ours = {
        re.sub("_(bucket|sum|count|created)$", "", name) for name in told if name.startswith("voicecall_")
    }
    assert {name for name in ours if f"`{name}" not in manual} == set()

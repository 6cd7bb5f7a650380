"""Spans: one trace a call, whoever sends them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from unit.calls.support import SteadyClock, call_request, item

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry, Kind
from controller.observability.trace_ids import trace_id
from controller.observability.tracing import Tracing
from controller.pushes.push import Push
from controller.pushes.receiver import Delivery, Failure

BEGIN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


class Kept(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def _call(tracing: Tracing, call_id: str = "1200_1_1_x") -> LiveCall:
    call = LiveCall(call_id, f"{call_id}@host", call_request(item("one")), SteadyClock(), tracing.tell)
    happened: list[tuple[Kind, str | None, float, dict[str, Any]]] = [
        (Kind.ACCEPTED, None, 0.0, {}),
        (Kind.CALLOUT, "a", 0.02, {"trunk": "carrier"}),
        (Kind.ANSWER, "a", 3.0, {}),
        (Kind.PROMPT, "a", 3.1, {"name": "one"}),
        (Kind.COLLECTED, "a", 5.0, {"digits": "1234"}),
        (Kind.DISCONNECT, None, 13.0, {"state_code": 0}),
    ]
    for number, (kind, leg, seconds, detail) in enumerate(happened):
        entry = Entry(number, BEGIN + timedelta(seconds=seconds), kind, leg, detail)
        call.timeline.add(entry)
        tracing.tell(call, entry)
    return call


@pytest.mark.requirement("E3")
def test_given_a_call_when_it_is_over_then_its_spans_hang_under_one_root() -> None:
    kept = Kept()
    tracing = Tracing(kept, "host")
    call = _call(tracing)
    push = Push("app", "http://receiver/x", "msg_1", "answer", b"{}", (call.id,), 1)
    tracing.pushed(push, Delivery(200, latency_ms=20), BEGIN + timedelta(seconds=3))
    names = [span.name for span in kept.spans]
    assert names == ["call notification", "dial a", "talk a", "prompt", "push answer"]
    root, *others = kept.spans
    assert {span.context.trace_id for span in kept.spans} == {trace_id(call.id)}
    assert root.parent is None
    assert {span.parent.span_id for span in others if span.parent} == {root.context.span_id}
    assert len({span.context.span_id for span in kept.spans}) == len(kept.spans)
    assert tracing.traceparent(push)["traceparent"].split("-")[1] == f"{trace_id(call.id):032x}"
    prompt = next(span for span in kept.spans if span.name == "prompt")
    assert (prompt.end_time or 0) - (prompt.start_time or 0) == pytest.approx(1_900_000_000)


@pytest.mark.requirement("E3")
@pytest.mark.parametrize("delivery", [Delivery(200), Delivery(None, Failure.TIMEOUT, "no answer")])
def test_given_an_address_with_query_and_credentials_when_pushed_to_then_the_span_has_neither(
    delivery: Delivery,
) -> None:
    kept = Kept()
    url = "https://user:word@receiver.example:8443/status?phone=%2B8613900001111&token=t0ken#part"
    push = Push("app", url, "msg_1", "answer", b"{}", ("1200_1_1_x",), 1)
    Tracing(kept, "host").pushed(push, delivery, BEGIN)
    (span,) = kept.spans
    assert (span.attributes or {})["url.full"] == "https://receiver.example:8443/status"
    told = span.to_json()
    assert not [secret for secret in ("user", "word", "13900001111", "t0ken", "part") if secret in told]


@pytest.mark.requirement("E3")
def test_given_a_request_that_started_a_call_when_answered_then_the_trace_begins_with_it() -> None:
    kept = Kept()
    tracing = Tracing(kept, "host", clock=SteadyClock())
    call = _call(tracing)
    tracing.answered(call.session_id, "/rest/httpsessions/callnotify/v2.0", "POST", 200, 0.25)
    root, *_, asked = kept.spans
    assert asked.name == "POST /rest/httpsessions/callnotify/v2.0"
    assert asked.context.trace_id == root.context.trace_id
    assert asked.parent is not None and asked.parent.span_id == root.context.span_id
    assert (asked.end_time or 0) - (asked.start_time or 0) == 250_000_000


@pytest.mark.requirement("E3")
def test_given_spans_when_looked_at_then_no_number_digit_or_text_is_in_them() -> None:
    kept = Kept()
    call = _call(Tracing(kept, "host"))
    shown = " ".join(f"{span.name} {dict(span.attributes or {})}" for span in kept.spans)
    for secret in ("1234", call.request.callee.e164, call.request.display_number.e164):
        assert secret not in shown


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 200), (0.5, 100)])
def test_given_a_share_when_calls_are_traced_then_about_so_many_are(share: float, expected: int) -> None:
    kept = Kept()
    tracing = Tracing(kept, "host", share)
    for number in range(200):
        _call(tracing, f"1200_{number}_1_x")
    roots = [span for span in kept.spans if span.parent is None]
    assert abs(len(roots) - expected) <= 30

"""Spans: one trace a call, whoever sends them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from unit.calls.support import SteadyClock, call_request, item

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry, Kind
from controller.observability.spans import ROOT, Span
from controller.observability.trace_ids import span_id, trace_id
from controller.observability.tracing import Tracing
from controller.pushes.push import Push
from controller.pushes.receiver import Delivery, Failure

BEGIN = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)


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
    spans: list[Span] = []
    tracing = Tracing(spans.append)
    call = _call(tracing)
    push = Push("app", "http://receiver/x", "msg_1", "answer", b"{}", (call.id,), 1)
    tracing.pushed(push, Delivery(200, latency_ms=20), BEGIN + timedelta(seconds=3))
    names = [span.name for span in spans]
    assert names == ["call notification", "dial a", "talk a", "prompt", "push answer"]
    assert {span.call_id for span in spans} == {call.id}
    root, *others = (span.part for span in spans)
    assert root == ROOT
    assert len({root, *others}) == len(spans)
    ids = trace_id(call.id).hex(), span_id(call.id, others[-1]).hex()
    assert tracing.traceparent(push) == {"traceparent": "00-{}-{}-01".format(*ids)}
    prompt = next(span for span in spans if span.name == "prompt")
    assert prompt.end - prompt.begin == timedelta(seconds=1.9)


@pytest.mark.requirement("E3")
@pytest.mark.parametrize("delivery", [Delivery(200), Delivery(None, Failure.TIMEOUT, "no answer")])
def test_given_an_address_with_query_and_credentials_when_pushed_to_then_the_span_has_neither(
    delivery: Delivery,
) -> None:
    spans: list[Span] = []
    url = "https://user:word@receiver.example:8443/status?phone=%2B8613900001111&token=t0ken#part"
    push = Push("app", url, "msg_1", "answer", b"{}", ("1200_1_1_x",), 1)
    Tracing(spans.append).pushed(push, delivery, BEGIN)
    (span,) = spans
    assert span.attributes["url.full"] == "https://receiver.example:8443/status"
    told = f"{span.name} {span.attributes}"
    assert not [secret for secret in ("user", "word", "13900001111", "t0ken", "part") if secret in told]


@pytest.mark.requirement("E3")
def test_given_a_request_that_started_a_call_when_answered_then_the_trace_begins_with_it() -> None:
    spans: list[Span] = []
    tracing = Tracing(spans.append, clock=SteadyClock())
    call = _call(tracing)
    tracing.answered(call.session_id, "/rest/httpsessions/callnotify/v2.0", "POST", 200, 0.25)
    root, *_, asked = spans
    assert asked.name == "POST /rest/httpsessions/callnotify/v2.0"
    assert (asked.call_id, root.part) == (root.call_id, ROOT)
    assert asked.end - asked.begin == timedelta(milliseconds=250)


@pytest.mark.requirement("E3")
def test_given_spans_when_looked_at_then_no_number_digit_or_text_is_in_them() -> None:
    spans: list[Span] = []
    call = _call(Tracing(spans.append))
    shown = " ".join(f"{span.name} {span.attributes}" for span in spans)
    for secret in ("1234", call.request.callee.e164, call.request.display_number.e164):
        assert secret not in shown


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 200), (0.5, 100)])
def test_given_a_share_when_calls_are_traced_then_about_so_many_are(share: float, expected: int) -> None:
    spans: list[Span] = []
    tracing = Tracing(spans.append, share)
    for number in range(200):
        _call(tracing, f"1200_{number}_1_x")
    roots = [span for span in spans if span.part == ROOT]
    assert abs(len(roots) - expected) <= 30

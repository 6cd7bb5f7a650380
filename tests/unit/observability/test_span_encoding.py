"""Spans on their way to a collector: as OpenTelemetry encodes them, whoever does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as encoded_by_opentelemetry
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from controller.observability.span_encoding import encode_spans, opened_exporter
from controller.observability.spans import ROOT, SpanMaker

BEGIN = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)


def _spans() -> list[ReadableSpan]:
    """Every shape there is, of two calls."""
    span = SpanMaker("host").span
    made = []
    for call in ("1200_1_1_x", "1200_2_1_x"):
        end = BEGIN + timedelta(seconds=3)
        made += [
            span(call, "request", "POST /x", BEGIN, end, {"http.response.status_code": 200}),
            span(call, ROOT, "call notification", BEGIN, end, {"voice.app": "", "voice.state_code": 0}),
            span(call, "dial a", "dial a", BEGIN, BEGIN, {"voice.leg": "a", "voice.answered": True}),
            span(call, "dial b", "dial b", BEGIN, end, {"voice.leg": "b", "voice.answered": False}),
            span(call, "prompt 3", "prompt", BEGIN, end, {}),
            span(
                call,
                "push msg_1 1",
                "push fee",
                BEGIN,
                end,
                {"voice.push.attempt": 1, "url.full": "https://例.example/推送", "error.type": "timed out"},
                failed=True,
                client=True,
            ),
        ]
    return made


@pytest.mark.requirement("E3")
def test_given_spans_of_every_shape_when_encoded_then_they_are_what_opentelemetry_makes_of_them() -> None:
    expected = encoded_by_opentelemetry(_spans())
    for _first_made_then_remembered in range(2):
        assert encode_spans(_spans()) == expected


@pytest.mark.requirement("E3")
def test_given_values_that_python_takes_for_equal_when_encoded_then_each_keeps_its_type() -> None:
    span = SpanMaker("host").span
    spans = [
        span("1200_1_1_x", f"part {number}", "part", BEGIN, BEGIN, {"same": value})
        for number, value in enumerate(["first", 1, True, 0, False, "1", "True"])
    ]
    assert encode_spans(spans) == encoded_by_opentelemetry(spans)


@pytest.mark.requirement("E3")
def test_given_attributes_that_ours_never_have_when_encoded_then_no_span_of_the_batch_is_lost() -> None:
    attributes: dict[str, Any] = {"usual": 1, "float": 0.5, "list": [1, 2], "tuple": ("a",)}
    span = SpanMaker("host").span
    spans = [span("1_1_1_x", name, name, BEGIN, BEGIN, {name: value}) for name, value in attributes.items()]
    assert encode_spans([*spans, *_spans()]) == encoded_by_opentelemetry([*spans, *_spans()])


@pytest.mark.requirement("E3")
def test_given_the_exporter_when_it_sends_then_a_collector_gets_the_spans_by_our_encoder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded: list[int] = []

    def counted(spans: list[ReadableSpan]) -> ExportTraceServiceRequest:
        encoded.append(len(spans))
        return encode_spans(spans)

    with _collector() as (url, taken):
        exporter = opened_exporter(url)
        assert vars(trace_exporter)["encode_spans"] is encode_spans
        monkeypatch.setattr(trace_exporter, "encode_spans", counted)
        assert exporter.export(_spans()) is SpanExportResult.SUCCESS
        exporter.shutdown()  # type: ignore[no-untyped-call]
    assert encoded == [12]
    assert taken == [encoded_by_opentelemetry(_spans())]


@contextmanager
def _collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    taken: list[ExportTraceServiceRequest] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    with HTTPServer(("127.0.0.1", 0), Taker) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/traces", taken
        finally:
            server.shutdown()
            thread.join()

"""Spans on their way to a collector: as OpenTelemetry encodes them, whoever does it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from threading import Thread

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from controller.observability.span_encoding import SpanEncoder, opened_exporter
from controller.observability.spans import ROOT, Attributes, Span
from controller.observability.trace_ids import span_id, trace_id

BEGIN = datetime(2026, 11, 24, 8, 0, 0, 123456, tzinfo=UTC)
END = BEGIN + timedelta(seconds=3)


def _spans() -> list[Span]:
    """Every shape there is, of two calls."""
    made = []
    for call in ("1200_1_1_x", "1200_2_1_x"):
        push: Attributes = {
            "voice.push.attempt": 1,
            "url.full": "https://例.example/推送",
            "error.type": "timed out",
        }
        made += [
            Span(call, "request", "POST /x", BEGIN, END, {"http.response.status_code": 200}),
            Span(call, ROOT, "call notification", BEGIN, END, {"voice.app": "", "voice.state_code": 0}),
            Span(call, "dial a", "dial a", BEGIN, BEGIN, {"voice.leg": "a", "voice.answered": True}),
            Span(call, "dial b", "dial b", BEGIN, END, {"voice.leg": "b", "voice.answered": False}),
            Span(call, "prompt 3", "prompt", END, BEGIN, {}),
            Span(call, "push msg_1 1", "push fee", BEGIN, END, push, failed=True, client=True),
        ]
    return made


def _by_opentelemetry(spans: list[Span]) -> ExportTraceServiceRequest:
    resource = Resource.create(
        {
            "service.name": "voicecall",
            "service.version": version("voicecall"),
            "service.instance.id": "host",
        }
    )
    return encode_spans(
        [
            ReadableSpan(
                span.name,
                _context(span.call_id, span.part),
                None if span.part == ROOT else _context(span.call_id, ROOT),
                resource,
                dict(span.attributes),
                kind=_kind(span),
                status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
                start_time=_nanoseconds(span.begin),
                end_time=_nanoseconds(max(span.begin, span.end)),
                instrumentation_scope=InstrumentationScope("voicecall"),
            )
            for span in spans
        ]
    )


def _context(call_id: str, part: str) -> SpanContext:
    trace, span = trace_id(call_id), span_id(call_id, part)
    return SpanContext(
        int.from_bytes(trace), int.from_bytes(span), is_remote=False, trace_flags=TraceFlags(1)
    )


def _kind(span: Span) -> SpanKind:
    if span.client:
        return SpanKind.CLIENT
    return SpanKind.SERVER if span.part == ROOT else SpanKind.INTERNAL


def _nanoseconds(at: datetime) -> int:
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since // timedelta(microseconds=1)) * 1000


@pytest.mark.requirement("E3")
def test_given_spans_of_every_shape_when_encoded_then_they_are_what_opentelemetry_makes_of_them() -> None:
    expected = _by_opentelemetry(_spans())
    encoder = SpanEncoder("host")
    for _first_made_then_remembered in range(2):
        assert encoder.encode(_spans()) == expected


@pytest.mark.requirement("E3")
def test_given_values_that_python_takes_for_equal_when_encoded_then_each_keeps_its_type() -> None:
    spans = [
        Span("1200_1_1_x", f"part {number}", "part", BEGIN, BEGIN, {"same": value})
        for number, value in enumerate(["first", 1, True, 0, False, "1", "True"])
    ]
    assert SpanEncoder("host").encode(spans) == _by_opentelemetry(spans)


@pytest.mark.requirement("E3")
def test_given_the_exporter_when_it_sends_then_a_collector_gets_the_spans() -> None:
    with _collector() as (url, taken):
        exporter = opened_exporter(url, "host")
        assert exporter.export(_spans()) is SpanExportResult.SUCCESS
        exporter.shutdown()
    assert taken == [_by_opentelemetry(_spans())]


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

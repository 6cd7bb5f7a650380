"""Spans in OTLP's form, for a fifth of the processor time that OpenTelemetry's encoder takes.

What spans have in common is encoded once and remembered: encodings of parts of a message, one after another,
are an encoding of the whole, as Protocol Buffers define it. Our spans have neither events nor links.
Imported only where traces are wanted: its packages are an extra.
"""

from collections.abc import Sequence
from functools import lru_cache

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans as encode_fully
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags, Status
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

_KINDS = {
    SpanKind.INTERNAL: Span.SPAN_KIND_INTERNAL,
    SpanKind.SERVER: Span.SPAN_KIND_SERVER,
    SpanKind.CLIENT: Span.SPAN_KIND_CLIENT,
}


def opened_exporter(endpoint: str) -> trace_exporter.OTLPSpanExporter:
    """OpenTelemetry's exporter, with the encoder of this module."""
    # It takes no encoder, but looks up its own by this name at each export.
    trace_exporter.encode_spans = encode_spans  # type: ignore[attr-defined]
    return trace_exporter.OTLPSpanExporter(endpoint=endpoint)


def encode_spans(sdk_spans: Sequence[ReadableSpan]) -> ExportTraceServiceRequest:
    """What a collector is sent; all spans are of one SpanMaker."""
    # The first one brings what is told once: who we are.
    request = encode_fully(sdk_spans[:1])
    found = request.resource_spans[0].scope_spans[0].spans
    for span in sdk_spans[1:]:
        try:
            found.append(_encoded(span))
        except (TypeError, ValueError):
            # An attribute of another kind than ours have.
            found.extend(encode_fully([span]).resource_spans[0].scope_spans[0].spans)
    return request


def _encoded(span: ReadableSpan) -> Span:
    message = Span()
    attributes = [_attribute(name, value) for name, value in (span.attributes or {}).items()]
    message.MergeFromString(b"".join([_head(span.name, span.kind, span.status.status_code), *attributes]))
    message.trace_id = span.context.trace_id.to_bytes(16, "big")
    message.span_id = span.context.span_id.to_bytes(8, "big")
    if span.parent is not None:
        message.parent_span_id = span.parent.span_id.to_bytes(8, "big")
    message.start_time_unix_nano = span.start_time or 0
    message.end_time_unix_nano = span.end_time or 0
    return message


@lru_cache(1024)
def _head(name: str, kind: SpanKind, status: StatusCode) -> bytes:
    head = Span(
        name=name,
        kind=_KINDS[kind],
        status=Status(code=Status.StatusCode.ValueType(status.value)),
        flags=SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK,
    )
    return _bytes(head)


@lru_cache(4096, typed=True)
def _attribute(name: str, value: str | int | bool) -> bytes:
    if isinstance(value, bool):
        encoded = AnyValue(bool_value=value)
    elif isinstance(value, int):
        encoded = AnyValue(int_value=value)
    else:
        encoded = AnyValue(string_value=value)
    return _bytes(Span(attributes=[KeyValue(key=name, value=encoded)]))


def _bytes(part: Span) -> bytes:
    encoded: bytes = part.SerializeToString()
    return encoded

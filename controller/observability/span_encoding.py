"""Spans in OTLP's form, straight from ours.

What spans have in common is encoded once and remembered: encodings of parts of a message, one after another,
are an encoding of the whole, as Protocol Buffers define it. Imported only where traces are wanted: its
packages are an extra.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from typing import cast

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1 import trace_pb2 as otlp
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import INVALID_SPAN_CONTEXT

from controller.observability.span_sending import Exporter
from controller.observability.spans import ROOT, Span
from controller.observability.trace_ids import span_id, trace_id


def opened_exporter(endpoint: str, controller: str) -> Exporter:
    """OpenTelemetry's exporter, which takes the spans of a controller in our form."""
    # It takes no encoder, but looks up its own by this name at each export.
    vars(trace_exporter)["encode_spans"] = SpanEncoder(controller).encode
    return cast("Exporter", trace_exporter.OTLPSpanExporter(endpoint=endpoint))


class SpanEncoder:
    """Encodes the spans of one controller."""

    def __init__(self, controller: str) -> None:
        resource = Resource.create(
            {
                "service.name": "voicecall",
                "service.version": version("voicecall"),
                "service.instance.id": controller,
            }
        )
        scope = InstrumentationScope("voicecall")
        some = ReadableSpan("", INVALID_SPAN_CONTEXT, resource=resource, instrumentation_scope=scope)
        self._empty = encode_spans([some])
        self._empty.resource_spans[0].scope_spans[0].ClearField("spans")

    def encode(self, spans: Sequence[Span]) -> ExportTraceServiceRequest:
        """What a collector is sent."""
        request = ExportTraceServiceRequest()
        request.CopyFrom(self._empty)
        request.resource_spans[0].scope_spans[0].spans.extend(map(_encoded, spans))
        return request


def _encoded(span: Span) -> otlp.Span:
    call_id, part, name, begin, end, attributes, failed, client = span
    is_root = part == ROOT
    parts = [_attribute(key, value) for key, value in attributes.items()]
    message = otlp.Span()
    message.MergeFromString(b"".join([_head(name, is_root, failed, client), *parts]))
    message.trace_id = trace_id(call_id)
    message.span_id = span_id(call_id, part)
    if not is_root:
        message.parent_span_id = span_id(call_id, ROOT)
    message.start_time_unix_nano = _nanoseconds(begin)
    message.end_time_unix_nano = _nanoseconds(max(begin, end))
    return message


@lru_cache(1024)
def _head(name: str, is_root: bool, failed: bool, client: bool) -> bytes:
    status = otlp.Status.STATUS_CODE_ERROR if failed else otlp.Status.STATUS_CODE_UNSET
    kind = (
        otlp.Span.SPAN_KIND_CLIENT
        if client
        else otlp.Span.SPAN_KIND_SERVER
        if is_root
        else otlp.Span.SPAN_KIND_INTERNAL
    )
    flags = otlp.SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
    return _bytes(otlp.Span(name=name, kind=kind, status=otlp.Status(code=status), flags=flags))


@lru_cache(4096, typed=True)
def _attribute(name: str, value: str | int | bool) -> bytes:
    if isinstance(value, bool):
        encoded = AnyValue(bool_value=value)
    elif isinstance(value, int):
        encoded = AnyValue(int_value=value)
    else:
        encoded = AnyValue(string_value=value)
    return _bytes(otlp.Span(attributes=[KeyValue(key=name, value=encoded)]))


def _bytes(part: otlp.Span) -> bytes:
    encoded: bytes = part.SerializeToString()
    return encoded


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000

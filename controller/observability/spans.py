"""Spans as OpenTelemetry has them. Imported only where traces are wanted: its packages are an extra."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from importlib.metadata import version
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from controller.observability.trace_ids import span_id, trace_id

ROOT: Final = "call"
"""The part that all others of a call hang under."""

_SCOPE: Final = InstrumentationScope("voicecall")
_SAMPLED: Final = TraceFlags(1)
_FAILED: Final = Status(StatusCode.ERROR)
_UNSET: Final = Status(StatusCode.UNSET)


class SpanMaker:
    """Makes the spans of one controller."""

    def __init__(self, controller: str) -> None:
        self._resource = Resource.create(
            {
                "service.name": "voicecall",
                "service.version": version("voicecall"),
                "service.instance.id": controller,
            }
        )

    def span(
        self,
        call_id: str,
        part: str,
        name: str,
        begin: datetime,
        end: datetime,
        attributes: Mapping[str, Any],
        *,
        failed: bool = False,
        client: bool = False,
    ) -> ReadableSpan:
        """A part of a call's trace, that is over."""
        is_root = part == ROOT
        return ReadableSpan(
            name=name,
            context=_root(call_id) if is_root else _context(call_id, part),
            parent=None if is_root else _root(call_id),
            resource=self._resource,
            attributes=attributes,
            kind=SpanKind.CLIENT if client else SpanKind.SERVER if is_root else SpanKind.INTERNAL,
            instrumentation_scope=_SCOPE,
            status=_FAILED if failed else _UNSET,
            start_time=_nanoseconds(begin),
            end_time=_nanoseconds(max(begin, end)),
        )


def _context(call_id: str, part: str) -> SpanContext:
    return SpanContext(trace_id(call_id), span_id(call_id, part), is_remote=False, trace_flags=_SAMPLED)


@lru_cache(4096)
def _root(call_id: str) -> SpanContext:
    return _context(call_id, ROOT)


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000

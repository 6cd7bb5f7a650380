"""What tests of traces work with: a collector, and what it was sent of a call."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from testbed.push_receiver import Push


@dataclass
class Collector:
    """A collector of traces that is running."""

    endpoint: str = ""
    sent: list[tuple[str, Span]] = field(default_factory=list)
    """What it was sent: by which controller, and the span."""
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @classmethod
    @asynccontextmanager
    async def start(cls) -> AsyncIterator["Collector"]:
        """Collect on a free port until the end of the block."""
        collector = cls()
        app = web.Application()
        app.router.add_post("/v1/traces", collector._take)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        collector.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
        try:
            yield collector
        finally:
            await runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        taken = ExportTraceServiceRequest.FromString(await request.read())
        async with self._news:
            for resource in taken.resource_spans:
                attributes = {it.key: it.value.string_value for it in resource.resource.attributes}
                by = attributes["service.instance.id"]
                self.sent += [(by, span) for scope in resource.scope_spans for span in scope.spans]
            self._news.notify_all()
        return web.Response()

    async def until(self, is_there: Callable[[], bool], timeout: float = 15) -> None:
        """Wait until what was sent is so."""
        async with asyncio.timeout(timeout), self._news:
            await self._news.wait_for(is_there)

    def has_spans_of(self, pushes: Iterable[Push]) -> bool:
        """Whether it was sent what these pushes name as their parent."""
        sent = {span.span_id.hex() for _by, span in self.sent}
        return all(parent_of(push)[1] in sent for push in pushes)

    def one_trace(self, trace_id: bytes) -> list[Span]:
        """What was sent, which must be one trace: each span is there once and hangs under the root."""
        spans = [span for _by, span in self.sent]
        assert {span.trace_id for span in spans} == {trace_id}
        ids = [span.span_id for span in spans]
        assert len(set(ids)) == len(ids), sorted(span.name for span in spans)
        [root] = [span for span in spans if not span.parent_span_id]
        assert {span.parent_span_id for span in spans if span is not root} == {root.span_id}
        return spans


def parent_of(push: Push) -> tuple[str, str]:
    """The trace and the span that a push names, in hexadecimal digits."""
    header = push.header("traceparent")
    assert header is not None
    _version, trace, span, _flags = header.split("-")
    return trace, span

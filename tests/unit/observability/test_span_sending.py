"""Spans that wait for a collector: sent many at a time, none kept for ever, never in anybody's way."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExportResult

from controller.observability import span_sending
from controller.observability.span_encoding import opened_exporter
from controller.observability.span_sending import SpanSender
from controller.observability.spans import Span

AT = datetime(2026, 11, 24, tzinfo=UTC)
BATCH, ROOM = span_sending._AT_A_TIME, span_sending._MOST


class Collector:
    """An exporter that keeps what it is given; it takes its time if it is told to, or takes nothing."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.free = Event()
        self.free.set()
        self.result = SpanExportResult.SUCCESS
        self.fault: Exception | None = None
        self.asked = self.closed = False

    def export(self, spans: Sequence[Span], /) -> SpanExportResult:
        self.asked = True
        self.free.wait(10)
        fault = self.fault
        self.batches.append([span.part for span in spans])
        if fault is not None:
            raise fault
        return self.result

    def shutdown(self) -> None:
        self.closed = True

    @property
    def got(self) -> list[str]:
        return [part for batch in self.batches for part in batch]

    async def until(self, spans: int) -> None:
        async with asyncio.timeout(10):
            while len(self.got) < spans:  # noqa: ASYNC110 - a thread gets them
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(sender: SpanSender) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(sender.run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def span(number: int) -> Span:
    return Span("1200_1_1_x", str(number), str(number), AT, AT, {})


@pytest.mark.requirement("E3")
async def test_given_many_spans_when_they_make_batches_then_these_go_at_once_and_the_rest_later() -> None:
    collector = Collector()
    sender = SpanSender(collector)
    async with running(sender):
        for number in range(2 * BATCH + 100):
            sender.send(span(number))
        await collector.until(2 * BATCH)
        for number in range(2 * BATCH + 100, 3 * BATCH):
            sender.send(span(number))
        await collector.until(3 * BATCH)
        assert [len(batch) for batch in collector.batches] == [BATCH] * 3
        assert collector.got == [str(number) for number in range(3 * BATCH)]


@pytest.mark.requirement("E3")
async def test_given_few_spans_when_time_passes_then_they_go_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(span_sending, "_PATIENCE", 0.05)
    collector = Collector()
    sender = SpanSender(collector)
    async with running(sender):
        for number in range(2):
            sender.send(span(number))
            await collector.until(number + 1)
        assert collector.batches == [["0"], ["1"]]


@pytest.mark.requirement("E3")
async def test_given_a_collector_that_hangs_when_many_spans_come_then_the_oldest_are_lost_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    collector = Collector()
    collector.free.clear()
    sender = SpanSender(collector)
    async with running(sender):
        for number in range(BATCH):
            sender.send(span(number))
        await asyncio.sleep(0)
        async with asyncio.timeout(10):
            while sender._waiting:  # noqa: ASYNC110 - its task takes them
                await asyncio.sleep(0.005)
        for number in range(BATCH, BATCH + ROOM + 3):
            sender.send(span(number))
        collector.free.set()
        await collector.until(BATCH + ROOM)
        assert collector.got == [
            str(number) for number in (*range(BATCH), *range(BATCH + 3, BATCH + ROOM + 3))
        ]
        (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert vars(line)["spans"] == 3


@pytest.mark.requirement("E3")
async def test_given_an_exporter_that_fails_when_more_spans_come_then_they_are_sent_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    collector = Collector()
    collector.fault = RuntimeError("out of order")
    sender = SpanSender(collector)
    async with running(sender) as task:
        for number in range(BATCH):
            sender.send(span(number))
        await collector.until(BATCH)
        collector.fault = None
        for number in range(BATCH):
            sender.send(span(number))
        await collector.until(2 * BATCH)
        assert not task.done()
        (line,) = caplog.records
        assert line.getMessage() == "Spans are lost: they can't be sent"
        assert vars(line)["spans"] == BATCH


@pytest.mark.requirement("E3")
@pytest.mark.parametrize(
    ("result", "sent"), [(SpanExportResult.SUCCESS, [BATCH, 976]), (SpanExportResult.FAILURE, [BATCH])]
)
async def test_given_spans_when_closed_then_they_go_unless_the_collector_takes_none(
    caplog: pytest.LogCaptureFixture, result: SpanExportResult, sent: list[int]
) -> None:
    collector = Collector()
    collector.result = result
    sender = SpanSender(collector)
    for number in range(BATCH + 976):
        sender.send(span(number))
    sender.close()
    assert [len(batch) for batch in collector.batches] == sent
    assert collector.closed
    lost = [vars(record)["spans"] for record in caplog.records]
    assert lost == ([] if result is SpanExportResult.SUCCESS else [BATCH + 976])


@pytest.mark.parametrize(
    ("result", "sent", "lost"),
    [(SpanExportResult.SUCCESS, [BATCH, 3], 0), (SpanExportResult.FAILURE, [BATCH], BATCH + 3)],
)
async def test_given_a_batch_under_way_when_ended_then_it_is_sent_or_counted_before_anything_is_shut(
    caplog: pytest.LogCaptureFixture, result: SpanExportResult, sent: list[int], lost: int
) -> None:
    collector = Collector()
    collector.result = result
    collector.free.clear()
    sender = SpanSender(collector)
    async with running(sender):
        for number in range(BATCH):
            sender.send(span(number))
        async with asyncio.timeout(10):
            while not collector.asked:  # noqa: ASYNC110 - a thread asks
                await asyncio.sleep(0.005)
        for number in range(3):
            sender.send(span(number))
        # Just after the end of the block has ended it.
        asyncio.get_running_loop().call_soon(collector.free.set)
    sender.close()
    assert [len(batch) for batch in collector.batches] == sent
    assert sum(vars(record)["spans"] for record in caplog.records) == lost


class Server:
    """A collector of its own: what it has got, and the HTTP status that it answers with."""

    def __init__(self) -> None:
        self.status = 503
        self.asked = Event()
        self.names: list[str] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = server.status
                if status == 200:
                    request = ExportTraceServiceRequest.FromString(body)
                    scopes = request.resource_spans[0].scope_spans
                    server.names += [span.name for scope in scopes for span in scope.spans]
                self.send_response(status)
                self.end_headers()
                server.asked.set()

            def log_message(self, *_args: object) -> None:
                pass

        with HTTPServer(("127.0.0.1", 0), Handler) as http:
            serving = Thread(target=http.serve_forever)
            serving.start()
            try:
                yield f"http://127.0.0.1:{http.server_port}/v1/traces"
            finally:
                http.shutdown()
                serving.join()

    async def until(self, spans: int) -> None:
        async with asyncio.timeout(20):
            while len(self.names) < spans:  # noqa: ASYNC110 - a thread gets them
                await asyncio.sleep(0.01)


@pytest.mark.requirement("E3")
@pytest.mark.parametrize(("sent", "kept"), [(2 * BATCH + 52, 2 * BATCH + 52), (ROOM + 7, ROOM)])
async def test_E3_given_a_collector_that_is_down_when_it_is_back_then_it_has_all_that_there_is_room_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sent: int, kept: int
) -> None:
    monkeypatch.setattr(span_sending, "_PATIENCE", 0.05)
    # The exporter gives up at once, instead of trying again by itself for some seconds.
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "1")
    collector = Server()
    with collector.running() as endpoint:
        sender = SpanSender(opened_exporter(endpoint, "host"))
        async with running(sender):
            for number in range(BATCH):
                sender.send(span(number))
            # A batch that is under way while it is down comes back too.
            await asyncio.to_thread(collector.asked.wait, 10)
            for number in range(BATCH, sent):
                sender.send(span(number))
            collector.asked.clear()
            await asyncio.to_thread(collector.asked.wait, 10)
            collector.status = 200
            await collector.until(kept)
        sender.close()
    assert sorted(map(int, collector.names)) == list(range(sent - kept, sent))
    lost = [vars(record)["spans"] for record in caplog.records if record.name == span_sending.__name__]
    assert sum(lost) == sent - kept

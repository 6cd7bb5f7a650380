"""Metrics and traces of a real call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network

import aiohttp
import pytest
from aiohttp import web
from engine import engine_name
from integration.support import StartBench
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from controller.observability.trace_ids import trace_id
from controller.settings import MetricSettings, TraceSettings
from testbed.softphone_plan import Answer


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector of traces: its address, and what it was sent."""
    taken: list[ExportTraceServiceRequest] = []

    async def take(request: web.Request) -> web.Response:
        taken.append(ExportTraceServiceRequest.FromString(await request.read()))
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces", taken
    finally:
        await runner.cleanup()


@pytest.mark.requirement("E3")
async def test_E3_given_a_call_when_it_is_over_then_metrics_and_one_trace_tell_of_it(
    bench: StartBench,
) -> None:
    async with collector() as (endpoint, taken):
        b = await bench(Answer(), sections={"traces": TraceSettings(endpoint=endpoint)})
        session = await b.notify()
        statuses, _cdr = await b.over(session)
        async with aiohttp.ClientSession() as http, http.get(f"{b.controller.url}/metrics") as answer:
            assert answer.status == 200
            text = await answer.text()
        await b.close_controller()
    assert 'voicecall_calls_ended_total{service="notification",state_code="0"} 1.0' in text
    assert 'voicecall_node_up{node="' in text
    assert ("\nvoicecall_clock_ahead_seconds " in text) == (engine_name() == "postgresql")
    assert 'route="/rest/httpsessions/callnotify/v2.0"' in text
    assert 'voicecall_push_attempts_total{event="disconnect",outcome="accepted"} 1.0' in text
    spans = [
        span
        for request in taken
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    call_id = session.partition("@")[0]
    assert {span.trace_id for span in spans} == {trace_id(call_id)}
    names = sorted(span.name for span in spans)
    assert names == sorted(
        ["POST /rest/httpsessions/callnotify/v2.0", "call notification", "dial a", "talk a", "prompt"]
        + [f"push {status.event_type}" for status in statuses]
        + ["push fee"]
    )
    assert min(spans, key=lambda span: span.start_time_unix_nano).name.startswith("POST ")
    assert max(spans, key=lambda span: span.end_time_unix_nano).name.startswith("push ")
    ids = {span.span_id.hex() for span in spans}
    for status in statuses:
        parent = status.push.header("traceparent")
        assert parent is not None
        assert parent.split("-")[2] in ids


@pytest.mark.requirement("E3")
async def test_E3_given_a_network_that_is_not_named_when_it_scrapes_then_there_is_nothing(
    bench: StartBench,
) -> None:
    b = await bench(sections={"metrics": MetricSettings(allowed_networks=[IPv4Network("192.0.2.0/24")])})
    async with aiohttp.ClientSession() as http, http.get(f"{b.controller.url}/metrics") as answer:
        assert answer.status == 404


@pytest.mark.requirement("E3")
async def test_E3_given_all_is_well_when_asked_in_detail_then_readyz_names_the_parts(
    bench: StartBench,
) -> None:
    b = await bench()
    async with aiohttp.ClientSession() as http, http.get(f"{b.controller.url}/readyz?verbose") as answer:
        assert await answer.json() == {
            "ready": True,
            "parts": {"database": True, "node": True, "trunks": True, "controller": True},
        }

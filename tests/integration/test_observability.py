"""Metrics and traces of a real call."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import IPv4Network

import aiohttp
import pytest
from aiohttp import web
from engine import engine_name
from integration.speaking import EAST_GATE, StartSpeaking
from integration.support import APP_KEY, Bench, StartBench
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from controller.observability.trace_ids import trace_id
from controller.settings import MetricSettings, TraceSettings
from testbed.push_receiver import Reply
from testbed.softphone_plan import Answer
from testbed.speech_server import SpeechServer


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


IN_FLIGHT = "voicecall_pushes_in_flight"


async def scraped(b: Bench) -> dict[str, float]:
    """All metrics, by name and labels."""
    async with aiohttp.ClientSession() as http, http.get(f"{b.controller.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


@pytest.mark.requirement("E3")
async def test_E3_given_spoken_calls_when_scraped_during_and_after_then_every_part_tells_what_it_had_to_do(
    speaking: StartSpeaking,
) -> None:
    async with SpeechServer.start() as server:
        b = await speaking(server.settings, Answer(), app={"max_calls": 7})
        await b.home.declare('[[accounts]]\nid = "test"\nmax_calls = 9\n')
        await b.controller.directory.refresh()
        before = await scraped(b)
        late = 1.5
        b.receiver.plan(Reply(after=late), Reply(), path="/status")
        # It waits some seconds for a key that nobody presses.
        first = await b.notify({**EAST_GATE, "collectInd": 1})
        await b.receiver.wait_status(first, "callout")
        during = await scraped(b)
        statuses, _cdr = await b.over(first)
        again = await b.notify(EAST_GATE)
        await b.over(again)
        async with asyncio.timeout(10):
            # What has arrived at the receiver may not have been answered.
            while (after := await scraped(b))[IN_FLIGHT]:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.05)
        node = b.controller.node.name
        await b.home.asterisk.kill()
        await b.controller.node.ari.wait_lost()
        lost = await scraped(b)

    # Calls, by service and result; set-up.
    no_key = statuses[-1].info["stateCode"]
    ended = 'voicecall_calls_ended_total{{service="notification",state_code="{}"}}'
    setup = 'voicecall_call_setup_seconds_{}{{service="notification"}}'
    assert no_key != 0
    for state_code in (no_key, 0):
        assert ended.format(state_code) not in before
        assert after[ended.format(state_code)] == 1
    assert after[setup.format("count")] == 2
    assert 0 < after[setup.format("sum")] < 20
    # Leases.
    used = {
        'voicecall_live_calls{service="notification"}': 1,
        f'voicecall_app_calls{{app="{APP_KEY}"}}': 1,
        f'voicecall_app_calls_limit{{app="{APP_KEY}"}}': 7,
        'voicecall_account_calls{account="test"}': 1,
        'voicecall_account_calls_limit{account="test"}': 9,
    }
    assert {name: during[name] for name in used} == used
    assert not used.keys() & (before.keys() | after.keys())
    # Nodes.
    up, calls = f'voicecall_node_up{{node="{node}"}}', f'voicecall_node_calls{{node="{node}"}}'
    assert [it[up] for it in (before, during, after, lost)] == [1, 1, 1, 0]
    assert [it[calls] for it in (before, during, after)] == [0, 1, 0]
    ready = 'voicecall_ready{{part="{}"}}'
    assert [it[ready.format("node")] for it in (before, during, after, lost)] == [1, 1, 1, 0]
    assert [lost[ready.format(part)] for part in ("database", "trunks", "controller")] == [1, 1, 1]
    # Queues, and how late pushes are.
    assert (before[IN_FLIGHT], during[IN_FLIGHT] >= 1, after[IN_FLIGHT]) == (0, True, 0)
    for queue in ("database_writes_waiting", "ari_requests_in_flight", "cdr_pushes_waiting"):
        assert after[f"voicecall_{queue}"] == 0, queue
    lag = 'voicecall_push_lag_seconds_{}{{event="{}"}}'
    assert after[lag.format("count", "callout")] == after[lag.format("count", "disconnect")] == 2
    assert late <= after[lag.format("sum", "callout")] < 10 * late
    assert 0 < after[lag.format("sum", "disconnect")] < 10 * late
    # The second call says the same.
    made, reused = (f"voicecall_speech_prompts_{name}_total" for name in ("made", "reused"))
    assert (before[made], during[made], after[made]) == (0, 1, 1)
    assert (before[reused], after[reused]) == (0, 1)
    # The loop is looked at all the time, and was late by a little.
    loop = "voicecall_event_loop_lag_seconds_{}"
    assert before[loop.format("count")] < during[loop.format("count")] + 2 < after[loop.format("count")]
    assert 0 < after[loop.format("sum")] < after[loop.format("count")]


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

"""Metrics and traces of a real call."""

import asyncio
import time
from ipaddress import IPv4Network

import aiohttp
import pytest
from engine import engine_name
from integration.collecting import Collector, parent_of
from integration.controllers import call_of
from integration.scraping import scraped
from integration.speaking import EAST_GATE, StartSpeaking
from integration.support import APP_KEY, SECOND, StartBench

from controller.observability.trace_ids import trace_id
from controller.settings import MetricSettings, TraceSettings
from testbed.client import CLICK2CALL
from testbed.push_receiver import Reply
from testbed.softphone_plan import Answer
from testbed.speech_server import SpeechServer

BLOCKED = 2.0
"""Seconds that something keeps the event loop. It is looked at twice a second: so much of it is not seen."""


@pytest.mark.requirement("E3")
async def test_E3_given_a_call_when_it_is_over_then_metrics_and_one_trace_tell_of_it(
    bench: StartBench,
) -> None:
    async with Collector.start() as collector:
        b = await bench(Answer(), sections={"traces": TraceSettings(endpoint=collector.endpoint)})
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
    spans = collector.one_trace(trace_id(call_of(session)))
    assert sorted(span.name for span in spans) == sorted(
        ["POST /rest/httpsessions/callnotify/v2.0", "call notification", "dial a", "talk a", "prompt"]
        + [f"push {status.event_type}" for status in statuses]
        + ["push fee"]
    )
    assert min(spans, key=lambda span: span.start_time_unix_nano).name.startswith("POST ")
    assert max(spans, key=lambda span: span.end_time_unix_nano).name.startswith("push ")
    assert collector.has_spans_of(b.receiver.pushes)


@pytest.mark.requirement("E3")
async def test_E3_given_a_callback_when_it_is_over_then_both_legs_and_all_pushes_are_one_trace(
    bench: StartBench,
) -> None:
    async with Collector.start() as collector:
        b = await bench(
            Answer(hang_up_after=2.0),
            phones={SECOND: Answer()},
            sections={"traces": TraceSettings(endpoint=collector.endpoint)},
        )
        session = await b.call_back()
        statuses, _cdr = await b.over(session)
        await b.close_controller()
    spans = collector.one_trace(trace_id(call_of(session)))
    assert sorted(span.name for span in spans) == sorted(
        [f"POST {CLICK2CALL}", "call callback"]
        + [f"{what} {leg}" for what in ("dial", "talk") for leg in "ab"]
        + [f"push {status.event_type}" for status in statuses]
        + ["push fee"]
    )
    begun = {span.name: span.start_time_unix_nano for span in spans}
    ended = {span.name: span.end_time_unix_nano for span in spans}
    order = [f"POST {CLICK2CALL}", "dial a", "talk a", "dial b", "talk b", "push disconnect", "push fee"]
    assert sorted(order, key=lambda name: begun[name]) == order
    assert min(begun.values()) == begun[order[0]]
    assert max(ended.values()) == ended["push fee"]
    assert ended["talk a"] == ended["talk b"] == ended["call callback"]
    # Who is told joins the same trace, at what it is told by.
    assert {parent_of(push)[0] for push in b.receiver.pushes} == {spans[0].trace_id.hex()}
    assert collector.has_spans_of(b.receiver.pushes)


IN_FLIGHT = "voicecall_pushes_in_flight"


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
        time.sleep(BLOCKED)  # noqa: ASYNC251 - the controller's loop is this one
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
        f'voicecall_app_calls{{app="{APP_KEY}"}}': 1,
        f'voicecall_app_calls_limit{{app="{APP_KEY}"}}': 7,
        'voicecall_account_calls{account="test"}': 1,
        'voicecall_account_calls_limit{account="test"}': 9,
    }
    assert {name: during[name] for name in used} == used
    assert not used.keys() & (before.keys() | after.keys())
    live = 'voicecall_live_calls{{service="{}"}}'
    assert [it[live.format("notification")] for it in (before, during, after)] == [0, 1, 0]
    assert [during[live.format(service)] for service in ("callback", "verification")] == [0, 0]
    # Nodes.
    up, calls = f'voicecall_node_up{{node="{node}"}}', f'voicecall_node_calls{{node="{node}"}}'
    assert [it[up] for it in (before, during, after, lost)] == [1, 1, 1, 0]
    assert [it[calls] for it in (before, during, after)] == [0, 1, 0]
    ready = 'voicecall_ready{{part="{}"}}'
    assert [it[ready.format("node")] for it in (before, during, after, lost)] == [1, 1, 1, 0]
    assert [lost[ready.format(part)] for part in ("database", "trunks", "controller")] == [1, 1, 1]
    # Queues, and how late pushes are.
    assert (before[IN_FLIGHT], during[IN_FLIGHT] >= 1, after[IN_FLIGHT]) == (0, True, 0)
    lag = 'voicecall_push_lag_seconds_{}{{event="{}"}}'
    assert [after[lag.format("count", event)] for event in ("callout", "disconnect", "fee")] == [2, 2, 2]
    assert late <= after[lag.format("sum", "callout")] < 10 * late
    assert 0 < after[lag.format("sum", "disconnect")] < 10 * late
    # That CDRs are gathered is no lag.
    assert 0 < after[lag.format("sum", "fee")] < late
    # The second call says the same.
    made, reused = (f"voicecall_speech_prompts_{name}_total" for name in ("made", "reused"))
    assert (before[made], during[made], after[made]) == (0, 1, 1)
    assert (before[reused], after[reused]) == (0, 1)
    # The loop is looked at all the time, and was late by a little until something blocked it.
    loop = "voicecall_event_loop_lag_seconds_{}"
    assert before[loop.format("count")] < during[loop.format("count")] + 2 < after[loop.format("count")]
    assert 0 < after[loop.format("sum")] < after[loop.format("count")]
    assert lost[loop.format("sum")] - after[loop.format("sum")] > 0.7 * BLOCKED


@pytest.mark.requirement("E3")
async def test_E3_given_settings_as_shipped_when_a_call_is_over_then_no_trace_was_made_of_it(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    await b.over(await b.notify())
    assert b.receiver.pushes
    assert [push for push in b.receiver.pushes if push.header("traceparent")] == []


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

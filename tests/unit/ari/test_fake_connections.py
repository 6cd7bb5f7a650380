"""The fake Asterisk's connections, and the trouble that can be ordered from it."""

import asyncio
import math
import selectors
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import aiohttp
import pytest
from unit.ari.raw import raw_client
from unit.ari.support import PHONE, client_of, next_of
from unit.support import soon

from controller.ari.fake import ANY, Behaviour, FakeAsterisk


async def test_given_no_password_when_asked_then_401_and_how_to_do_better(asterisk: FakeAsterisk) -> None:
    async with aiohttp.ClientSession(asterisk.address.url) as http:
        for path in ("/ari/channels", "/ari/events?app=raw"):
            async with http.get(path) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"] == 'Basic realm="Asterisk REST Interface"'
                assert await answer.json() == {"message": "Authentication required"}
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await http.ws_connect("/ari/events", params={"app": "raw"})
    assert error.value.status == 401


async def test_given_no_application_or_no_upgrade_when_connecting_then_400_and_426(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        async with client.http.get("/ari/events", params={"app": "raw"}) as answer:
            assert answer.status == 426
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await client.http.ws_connect("/ari/events")
    assert error.value.status == 400


async def test_given_http_when_asked_then_the_answers_are_those_of_the_socket(asterisk: FakeAsterisk) -> None:
    async with raw_client(asterisk) as client:
        asked = {"endpoint": PHONE, "app": "raw", "channelId": "c 1"}
        body = {"variables": {"A": {"value": "1", "report_events": True}}}
        async with client.http.post("/ari/channels/create", params=asked, json=body) as answer:
            assert (answer.status, (await answer.json())["channelvars"]) == (200, {"A": "1"})
        assert (await client.event("StasisStart"))["channel"]["id"] == "c 1"
        async with client.http.post("/ari/channels/c%201/dial", params={"timeout": "9"}) as answer:
            assert (answer.status, await answer.text()) == (204, "")
        async with client.http.get("/ari/channels/none") as answer:
            assert (answer.status, await answer.json()) == (404, {"message": "Channel not found"})
        async with client.http.get("/ari/asterisk/info") as answer:
            assert (await answer.json())["status"]["startup_time"] == asterisk.startup_time


@pytest.mark.parametrize("frame", ["", "?", "[]", "null", '{"type":"Foo"}', '{"type":"RESTRequest"}'])
async def test_given_a_frame_that_is_no_request_when_sent_then_it_is_answered_without_an_id(
    asterisk: FakeAsterisk, frame: str
) -> None:
    async with raw_client(asterisk) as client:
        await client.socket.send_str(frame)
        assert (await client.ask("GET", "asterisk/ping"))[0] == 200
        assert client.odd == [(400, "Unknown request type.")]


async def test_given_a_second_connection_when_made_then_the_first_is_told_and_hears_no_more(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as first, raw_client(asterisk) as second:
        assert (await first.event("ApplicationReplaced"))["application"] == "raw"
        await second.create("c1")
        assert first.types() == ["ApplicationReplaced"]
        assert (await first.ask("GET", "asterisk/ping"))[0] == 200
        await first.socket.close()
        await second.create("c2")


async def test_given_no_socket_of_the_application_when_a_channel_is_created_then_200_and_it_is_lost(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        status, body = await client.ask(
            "POST", "channels/create", endpoint=PHONE, app="nobody", channelId="c1"
        )
        assert (status, body["id"]) == (200, "c1")
        assert await client.ask("GET", "channels") == (200, [])


async def test_given_a_gap_when_over_then_channels_are_there_and_its_events_are_not(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await client.dialled("c1")
        await client.event("Dial")
        asterisk.drop_sockets()
        phone = asterisk.phone("c1")
        phone.ring()
        await soon(client.over.wait())
    assert asterisk.connections == 0
    async with raw_client(asterisk) as client:
        phone.answer()
        assert [event["channel"]["state"] for event in (await client.has(2))[:1]] == ["Up"]
        assert client.types() == ["ChannelStateChange", "Dial"]
        status, application = await client.ask("GET", "applications/raw")
        assert (status, application["channel_ids"]) == (200, ["c1"])


async def test_given_an_event_filter_when_reconnected_then_it_is_kept_as_long_as_there_are_channels(
    asterisk: FakeAsterisk,
) -> None:
    unwanted = [{"type": "StasisEnd"}]

    async def in_force() -> Any:
        async with raw_client(asterisk) as client:
            return (await client.ask("GET", "applications/raw"))[1]["events_disallowed"]

    async with raw_client(asterisk) as client:
        assert (await client.ask("PUT", "applications/raw/eventFilter", {"disallowed": "x"}))[0] == 400
        await client.ask("PUT", "applications/raw/eventFilter", {"disallowed": unwanted})
        await client.create("c1")
    assert await in_force() == unwanted
    async with raw_client(asterisk) as client:
        await client.ask("DELETE", "channels/c1")
        await client.event("ChannelDestroyed")
        assert "StasisEnd" not in client.types()
    assert await in_force() == []


async def test_given_a_filter_of_what_is_wanted_when_events_happen_then_nothing_else_is_sent(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await client.ask("PUT", "applications/raw/eventFilter", {"allowed": [{"type": "StasisStart"}]})
        await client.create("c1")
        assert client.types() == ["StasisStart"]


async def test_given_it_is_silent_when_it_wakes_up_then_what_came_is_done_and_what_happened_is_told(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await client.dialled("c1")
        await client.event("Dial")
        asterisk.go_silent()
        asking = client.send("DELETE", "channels/c1")
        asterisk.phone("c1").ring()
        await client.socket.ping()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await asyncio.shield(asking)
        assert "c1" in asterisk.channels
        asterisk.speak_again()
        assert await soon(asking) == (204, None)
        assert client.types()[-5:-3] == ["ChannelStateChange", "Dial"]


async def test_given_it_was_killed_when_started_then_nothing_is_left_and_its_time_of_start_is_new(
    asterisk: FakeAsterisk,
) -> None:
    before = asterisk.startup_time
    async with raw_client(asterisk) as client:
        await client.dialled("c1")
        told = len(asterisk.events)
        asterisk.kill()
        await soon(client.over.wait())
        with pytest.raises(aiohttp.ClientError):
            await client.http.get("/ari/asterisk/ping")
        asterisk.start()
    assert asterisk.channels == {}
    assert len(asterisk.events) == told
    assert asterisk.startup_time != before
    asterisk.restart()
    async with raw_client(asterisk) as client:
        assert (await client.ask("GET", "applications/raw"))[1]["channel_ids"] == []


async def test_given_wrong_answers_when_ordered_then_so_many_requests_get_them_done_or_not(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        asterisk.faults.answer("channels.hangup", 500, "broken", times=2)
        asterisk.faults.answer(ANY, 404, times=1)
        await client.http.get("/ari/asterisk/ping")
        await client.create("c1")
        assert await client.ask("DELETE", "channels/c1") == (500, {"message": "broken"})
        assert await client.ask("DELETE", "channels/c1") == (500, {"message": "broken"})
        asterisk.faults.answer("channels.hangup", 500, after_doing=True)
        assert (await client.ask("DELETE", "channels/c1"))[0] == 500
        assert asterisk.channels == {}


async def test_given_late_answers_when_ordered_then_what_is_asked_is_done_at_once(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await client.create("c1")
        asterisk.faults.delay_answers(math.inf, "channels.hangup")
        asterisk.faults.delay_answers(0.005)
        never = client.send("DELETE", "channels/c1")
        await client.event("ChannelDestroyed")
        assert await client.ask("GET", "channels") == (200, [])
        assert not never.done()
        async with client.http.get("/ari/channels") as answer:
            assert answer.status == 200


async def test_given_nothing_happens_when_waited_for_then_the_error_tells_what_did(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await client.create("c1")
        with pytest.raises(TimeoutError, match=r"asked: \['channels.create'\]; told: .*'StasisStart'"):
            await asterisk.requested("channels.dial", limit=0.01)
        assert (await asterisk.requested("channels.create")).parameters["channelId"] == "c1"
        assert (await asterisk.told("StasisStart"))["channel"]["id"] == "c1"


class JumpingSelector(selectors.DefaultSelector):
    """Where a loop would sleep, its clock jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        # The kernel needs a moment to carry bytes over the loopback.
        ready = super().select(0.002 if timeout is None or timeout > 0 else 0)
        if not ready and timeout is not None and timeout > 0:
            self.now += timeout
        return ready


def run_in_jumping_time(main: Callable[[], Awaitable[Any]]) -> tuple[Any, float]:
    """(result, seconds that seemed to pass)."""
    selector = JumpingSelector()

    def make_loop() -> asyncio.AbstractEventLoop:
        loop = asyncio.SelectorEventLoop(selector)
        loop.time = lambda: selector.now  # type: ignore[method-assign]
        return loop

    with asyncio.Runner(loop_factory=make_loop) as runner:
        return runner.run(main()), selector.now


def test_given_a_loop_with_a_clock_and_a_seed_of_its_own_when_run_then_hours_pass_in_no_time_and_alike() -> (
    None
):
    behaviour = Behaviour(ring_after=5.0, answer_after=40.0, digits=((1800.0, "1"),), hang_up_after=3600.0)

    async def a_long_call() -> list[Any]:
        async with (
            FakeAsterisk(
                lambda *_: behaviour,
                sounds=lambda _media: 1700.0,
                entry_delay=1.0,
                random=Random(7),
                now=lambda: datetime(2026, 11, 23, tzinfo=UTC),
            ) as asterisk,
            client_of(asterisk, random=Random(7), request_timeout=60.0, heartbeat=10_000.0) as client,
        ):
            await client.wait_ready()
            with client.listen("channel:c1") as events:
                await client.channels.create(PHONE, channel_id="c1")
                await next_of(events, "StasisStart")
                await client.channels.dial("c1", timeout=60)
                while (await next_of(events, "Dial")).dialstatus != "ANSWER":
                    pass
                await client.channels.play("c1", "sound:long", playback_id="p1")
                await next_of(events, "ChannelDestroyed")
            return list(asterisk.events)

    first, seconds = run_in_jumping_time(a_long_call)
    second, _seconds = run_in_jumping_time(a_long_call)
    assert 3640 < seconds < 3700
    assert [event["type"] for event in first][-4:] == [
        "ChannelDtmfReceived",
        "ChannelHangupRequest",
        "StasisEnd",
        "ChannelDestroyed",
    ]
    assert first == second

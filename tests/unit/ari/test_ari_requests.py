"""Requests and answers, as they go over a real socket to the fake Asterisk."""

import asyncio
import json
import math
from dataclasses import dataclass, field
from random import Random

import aiohttp
import pytest
from aiohttp import web
from unit.ari.support import PHONE, answered, client_of, lost_and_regained, next_of
from unit.support import soon

from controller.ari import (
    AriError,
    Client,
    Conflict,
    ConnectionLost,
    InvalidRequest,
    NotConnected,
    NotFound,
    ProtocolError,
    RequestTimeout,
    ServerError,
)
from controller.ari.fake import FakeAsterisk


def send_answers(asterisk: FakeAsterisk) -> None:
    """Answer, with nonsense, every request that the (one) client has made so far."""
    for number, _request in enumerate(asterisk.requests, 1):
        answer = {"type": "RESTResponse", "request_id": str(number), "status_code": 200, "message_body": "?"}
        asterisk.send_raw(json.dumps(answer))


async def test_given_a_request_that_asterisk_refuses_when_answered_then_the_error_tells_which_and_why(
    client: Client,
) -> None:
    with pytest.raises(NotFound) as found:
        await client.channels.get("none")
    assert (found.value.operation, found.value.status) == ("channels.get", 404)
    assert "Channel not found" in found.value.message


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, InvalidRequest), (404, NotFound), (409, Conflict), (500, ServerError), (503, ServerError)],
)
async def test_given_each_kind_of_refusal_when_asked_then_its_error_is_raised_and_the_next_request_works(
    client: Client, asterisk: FakeAsterisk, status: int, kind: type[AriError]
) -> None:
    asterisk.faults.answer("asterisk.ping", status)
    with pytest.raises(kind):
        await client.asterisk.ping()
    await client.asterisk.ping()


async def test_given_many_requests_at_once_when_answers_overtake_each_other_then_each_gets_its_own(
    asterisk: FakeAsterisk,
) -> None:
    random = Random(1)
    async with client_of(asterisk, max_in_flight=100) as client:
        await client.wait_ready()
        ids = [f"c{number}" for number in range(50)]
        await asyncio.gather(*(client.channels.create(PHONE, channel_id=name) for name in ids))
        asterisk.faults.delay_answers(lambda: random.uniform(0.001, 0.05))
        found = await soon(asyncio.gather(*(client.channels.get(name) for name in ids)))
    assert [channel.id for channel in found] == ids


async def test_given_no_answer_when_the_time_is_up_then_request_timeout_and_a_late_answer_is_nobodys(
    asterisk: FakeAsterisk,
) -> None:
    async with client_of(asterisk, request_timeout=0.5) as client:
        await client.wait_ready()
        asterisk.faults.delay_answers(math.inf, "asterisk.ping")
        with pytest.raises(RequestTimeout, match=r"asterisk\.ping: no answer in 0\.5 s"):
            await client.asterisk.ping()
        send_answers(asterisk)
        assert await client.channels.list() == []
        assert client.ready


async def test_given_requests_in_flight_when_the_socket_is_cut_then_each_raises_connection_lost(
    client: Client, asterisk: FakeAsterisk
) -> None:
    asterisk.faults.delay_answers(math.inf, "asterisk.ping")
    asking = [asyncio.ensure_future(client.asterisk.ping()) for _ in range(5)]
    await asterisk.requested("asterisk.ping", 5)
    asterisk.drop_sockets()
    for answer in await soon(asyncio.gather(*asking, return_exceptions=True)):
        assert type(answer) is ConnectionLost


async def test_given_no_socket_when_asked_then_not_connected_and_asterisk_hears_nothing(
    client: Client, asterisk: FakeAsterisk
) -> None:
    asterisk.refuse_connections()
    asterisk.drop_sockets()
    await soon(client.wait_lost())
    with pytest.raises(NotConnected):
        await client.channels.create(PHONE, channel_id="c1")
    asterisk.refuse_connections(False)
    await soon(client.wait_ready())
    assert "channels.create" not in [request.operation for request in asterisk.requests]


async def test_given_a_request_that_waits_for_its_turn_when_the_socket_is_lost_then_it_is_never_sent(
    asterisk: FakeAsterisk,
) -> None:
    async with client_of(asterisk, max_in_flight=1) as client:
        await client.wait_ready()
        asterisk.faults.delay_answers(math.inf, "asterisk.ping")
        first = asyncio.ensure_future(client.asterisk.ping())
        second = asyncio.ensure_future(client.channels.create(PHONE, channel_id="c1"))
        await asterisk.requested("asterisk.ping")
        await lost_and_regained(client, asterisk)
        with pytest.raises(ConnectionLost):
            await soon(first)
        with pytest.raises(NotConnected):
            await soon(second)
    assert "channels.create" not in [request.operation for request in asterisk.requests]


@dataclass
class Permit:
    """Whether the program may act."""

    may: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def certain(self) -> bool:
        return self.may.is_set()

    async def wait_certain(self) -> None:
        await self.may.wait()


@pytest.mark.requirement("E2")
async def test_given_requests_for_asterisk_when_another_may_have_taken_over_meanwhile_then_they_wait(
    asterisk: FakeAsterisk,
) -> None:
    permit = Permit()
    permit.may.set()
    async with client_of(asterisk, max_in_flight=1, permission=permit) as client:
        await client.wait_ready()
        asterisk.faults.delay_answers(0.05, "asterisk.ping")
        first = asyncio.ensure_future(client.asterisk.ping())
        await asterisk.requested("asterisk.ping")
        # It waits for its turn when the program may no longer act.
        second = asyncio.ensure_future(client.channels.create(PHONE, channel_id="c1"))
        await asyncio.sleep(0)
        permit.may.clear()
        await soon(first)
        third = asyncio.ensure_future(client.channels.create(PHONE, channel_id="c2"))
        await asyncio.sleep(0.05)
        sent_meanwhile = [request.operation for request in asterisk.requests].count("channels.create")
        permit.may.set()
        await soon(asyncio.gather(second, third))

    assert sent_meanwhile == 0
    assert [request.operation for request in asterisk.requests].count("channels.create") == 2


async def test_given_a_limit_when_more_is_asked_at_once_then_no_more_than_that_are_in_flight(
    asterisk: FakeAsterisk,
) -> None:
    async with client_of(asterisk, max_in_flight=4) as client:
        await client.wait_ready()
        asterisk.faults.delay_answers(0.002, "asterisk.ping")
        await soon(asyncio.gather(*(client.asterisk.ping() for _ in range(30))))
    assert asterisk.most_unanswered == 4


async def test_given_a_caller_that_gives_up_when_it_is_cancelled_then_its_place_is_free_again(
    asterisk: FakeAsterisk,
) -> None:
    async with client_of(asterisk, max_in_flight=1) as client:
        await client.wait_ready()
        asterisk.faults.delay_answers(math.inf, "asterisk.ping")
        asking = asyncio.ensure_future(client.asterisk.ping())
        await asterisk.requested("asterisk.ping")
        asking.cancel()
        await soon(client.channels.list())


async def test_given_an_answer_that_is_not_what_was_asked_for_when_read_then_protocol_error(
    client: Client, asterisk: FakeAsterisk
) -> None:
    asking = asyncio.ensure_future(client.channels.get("c1"))
    asterisk.faults.delay_answers(math.inf, "channels.get")
    await asterisk.requested("channels.get")
    send_answers(asterisk)
    with pytest.raises(ProtocolError):
        await soon(asking)
    assert client.ready


async def test_given_a_stored_recording_when_fetched_then_its_bytes_come_over_http(
    client: Client, asterisk: FakeAsterisk
) -> None:
    content = bytes(range(256)) * 2000
    asterisk.stored_recordings["call 1/a"] = ("alaw", content)
    pieces = [piece async for piece in client.recordings.fetch("call 1/a")]
    assert b"".join(pieces) == content
    assert len(pieces) > 1
    await client.recordings.delete_stored("call 1/a")
    with pytest.raises(NotFound):
        await client.recordings.delete_stored("call 1/a")


@pytest.fixture
def trickle(asterisk: FakeAsterisk, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Has every body come byte by byte, 20 of them; once this is set, it goes silent after the first."""
    silent = asyncio.Event()

    async def serve(request: web.Request) -> web.StreamResponse:
        body = web.StreamResponse(headers={"Content-Length": "20"})
        await body.prepare(request)
        for number in range(20):
            await body.write(bytes([number]))
            await asyncio.sleep(60 if silent.is_set() else 0.01)
        return body

    monkeypatch.setattr(asterisk._server, "_serve_http", serve)
    return silent


@pytest.mark.usefixtures("trickle")
async def test_given_a_recording_that_takes_longer_than_any_total_limit_when_fetched_then_it_is_whole(
    asterisk: FakeAsterisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = aiohttp.ClientTimeout(total=0.05)
    monkeypatch.setattr("aiohttp.client.DEFAULT_TIMEOUT", short)
    async with client_of(asterisk) as client:
        await client.wait_ready()
        with pytest.raises(TimeoutError):
            async with client._connection._http.get("/ari/x") as answer:  # type: ignore[union-attr]
                await answer.read()
        pieces = [piece async for piece in client.recordings.fetch("r1")]
    assert b"".join(pieces) == bytes(range(20))


async def test_given_asterisk_that_falls_silent_in_a_recording_when_fetched_then_connection_lost(
    client: Client, trickle: asyncio.Event
) -> None:
    trickle.set()
    came = bytearray()
    with pytest.raises(ConnectionLost, match=r"recordings.getStoredFile"):
        async for piece in client.recordings.fetch("r1", silence=0.5):
            came += piece
    assert came == b"\0"


async def test_given_a_recording_that_is_not_there_when_fetched_then_not_found(client: Client) -> None:
    with pytest.raises(NotFound) as error:
        _ = [piece async for piece in client.recordings.fetch("none")]
    assert error.value.operation == "recordings.getStoredFile"


async def test_given_asterisk_is_away_when_a_recording_is_fetched_then_connection_lost(
    client: Client, asterisk: FakeAsterisk
) -> None:
    asterisk.kill()
    with pytest.raises(ConnectionLost):
        _ = [piece async for piece in client.recordings.fetch("r1")]


async def test_given_a_client_that_was_closed_when_anything_is_asked_then_not_connected(
    asterisk: FakeAsterisk,
) -> None:
    async with client_of(asterisk) as client:
        await client.wait_ready()
    with pytest.raises(NotConnected):
        await client.asterisk.ping()
    with pytest.raises(NotConnected):
        _ = [piece async for piece in client.recordings.fetch("r1")]
    with pytest.raises(NotConnected):
        await client.wait_ready()


async def test_given_every_resource_when_used_then_asterisk_is_asked_as_its_documents_say(
    client: Client, asterisk: FakeAsterisk
) -> None:
    await answered(client, asterisk, "c/1", {"CALLERID(num)": "+861"})
    asterisk.requests.clear()
    await client.channels.play("c/1", "sound:hello", playback_id="p1", language="zh")
    await client.channels.set_variable("c/1", "CALLERID(num)", "+862")
    assert await client.channels.variable("c/1", "CALLERID(num)") == "+862"
    await client.channels.ring("c/1")
    await client.channels.stop_ringing("c/1")
    await client.channels.answer("c/1")
    await client.bridges.create(bridge_id="b1")
    await client.bridges.add_channels("b1", "c/1")
    await client.bridges.play("b1", "sound:hello", playback_id="p2")
    await client.bridges.record("b1", name="r1", audio_format="alaw")
    await client.recordings.get_live("r1")
    await client.recordings.stop("r1")
    await client.bridges.remove_channel("b1", "c/1")
    await client.bridges.destroy("b1")
    await client.channels.hang_up("c/1", cause=21)
    asked = [(it.method, it.uri, dict(it.parameters)) for it in asterisk.requests]
    assert asked == [
        ("POST", "channels/c%2F1/play", {"media": "sound:hello", "playbackId": "p1", "lang": "zh"}),
        ("POST", "channels/c%2F1/variable", {"variable": "CALLERID(num)", "value": "+862"}),
        ("GET", "channels/c%2F1/variable", {"variable": "CALLERID(num)"}),
        ("POST", "channels/c%2F1/ring", {}),
        ("DELETE", "channels/c%2F1/ring", {}),
        ("POST", "channels/c%2F1/answer", {}),
        ("POST", "bridges/b1", {"type": "mixing"}),
        ("POST", "bridges/b1/addChannel", {"channel": "c/1"}),
        ("POST", "bridges/b1/play", {"media": "sound:hello", "playbackId": "p2"}),
        ("POST", "bridges/b1/record", {"name": "r1", "format": "alaw", "ifExists": "fail", "beep": "false"}),
        ("GET", "recordings/live/r1", {}),
        ("POST", "recordings/live/r1/stop", {}),
        ("POST", "bridges/b1/removeChannel", {"channel": "c/1"}),
        ("DELETE", "bridges/b1", {}),
        ("DELETE", "channels/c%2F1", {"reason_code": "21"}),
    ]


async def test_given_a_channel_to_create_when_asked_then_its_options_and_variables_are_sent(
    client: Client, asterisk: FakeAsterisk
) -> None:
    variables = {"VOICECALL": {"value": "call-1", "report_events": True}, "SECRET": "s"}
    with client.listen("channel:c1", "channel:c2") as events:
        made = await client.channels.create(
            PHONE, channel_id="c1", variables=variables, formats="alaw", app_args="x,y"
        )
        await client.channels.create(PHONE, channel_id="c2", originator="c1", formats="alaw")
        start = await soon(next_of(events, "StasisStart"))
    first, second = [it for it in asterisk.requests if it.operation == "channels.create"]
    assert dict(first.parameters) == {
        "endpoint": PHONE,
        "app": "app",
        "appArgs": "x,y",
        "channelId": "c1",
        "formats": "alaw",
    }
    assert first.body == {"variables": variables}
    # Asterisk refuses an originator and formats together.
    assert dict(second.parameters) == {
        "endpoint": PHONE,
        "app": "app",
        "channelId": "c2",
        "originator": "c1",
    }
    assert (made.id, made.state, start.args) == ("c1", "Down", ["x", "y"])
    assert start.channel.channelvars == {"VOICECALL": "call-1"}


async def test_given_what_asterisk_knows_of_itself_when_asked_then_it_is_told() -> None:
    async with (
        FakeAsterisk(endpoints={"PJSIP/trunk": "online"}) as asterisk,
        client_of(asterisk) as client,
    ):
        await client.wait_ready()
        info = await client.asterisk.info()
        endpoint = await client.endpoints.get("PJSIP", "trunk")
        application = await client.applications.get()
        with pytest.raises(NotFound):
            await client.endpoints.get("PJSIP", "none")
    assert (info.version, info.startup_time) == ("22.10.1", asterisk.startup_time)
    assert (endpoint.technology, endpoint.resource, endpoint.state) == ("PJSIP", "trunk", "online")
    assert (application.name, application.channel_ids) == ("app", [])

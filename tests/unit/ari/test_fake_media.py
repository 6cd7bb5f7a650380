"""The fake Asterisk does with prompts, bridges and recordings what was recorded on Asterisk 22.10.1."""

import asyncio
import math
from collections.abc import AsyncIterator

import pytest
from unit.ari.raw import RawClient, raw_client
from unit.ari.support import waiting_phones

from controller.ari.fake import FakeAsterisk

LENGTHS = {"sound:short": 0.0, "sound:long": math.inf, "sound:missing": None}


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk(waiting_phones, sounds=LENGTHS.__getitem__) as fake:
        yield fake


@pytest.fixture
async def client(asterisk: FakeAsterisk) -> AsyncIterator[RawClient]:
    """A client with a phone "c1" that has answered."""
    async with raw_client(asterisk) as client:
        await client.dialled("c1")
        asterisk.phone("c1").answer()
        await client.event("Dial", dialstatus="ANSWER")
        client.events.clear()
        yield client


def playbacks(client: RawClient) -> list[tuple[str, str]]:
    return [
        (event["playback"]["id"], f"{event['type'].removeprefix('Playback')} {event['playback']['state']}")
        for event in client.events
        if "playback" in event
    ]


async def play(client: RawClient, media: str, playback_id: str, target: str = "channels/c1") -> None:
    status, body = await client.ask("POST", f"{target}/play", media=media, playbackId=playback_id)
    assert (status, body["id"], body["media_uri"], body["state"]) == (201, playback_id, media, "queued")


async def test_given_a_prompt_when_played_then_it_starts_and_is_done(client: RawClient) -> None:
    await play(client, "sound:short", "p1")
    finished = await client.event("PlaybackFinished")
    assert finished["playback"]["target_uri"] == "channel:c1"
    assert playbacks(client) == [("p1", "Started playing"), ("p1", "Finished done")]
    assert await client.ask("GET", "playbacks/p1") == (404, {"message": "Playback not found"})
    assert await client.ask("DELETE", "playbacks/p1") == (404, {"message": "Playback not found"})


async def test_given_a_prompt_that_is_missing_when_played_then_it_starts_and_has_failed(
    client: RawClient,
) -> None:
    await play(client, "sound:missing", "p1")
    await client.event("PlaybackFinished")
    assert playbacks(client) == [("p1", "Started playing"), ("p1", "Finished failed")]


async def test_given_a_prompt_that_plays_when_stopped_then_it_is_done(client: RawClient) -> None:
    await play(client, "sound:long", "p1")
    await client.event("PlaybackStarted")
    assert (await client.ask("GET", "playbacks/p1"))[1]["state"] == "playing"
    assert await client.ask("DELETE", "playbacks/p1") == (204, None)
    await client.event("PlaybackFinished")
    assert playbacks(client) == [("p1", "Started playing"), ("p1", "Finished done")]


async def test_given_prompts_that_wait_when_one_is_stopped_then_it_ends_in_its_turn_without_a_start(
    client: RawClient,
) -> None:
    await play(client, "sound:long", "p1")
    await play(client, "sound:long", "p2")
    await play(client, "sound:short", "p3")
    assert await client.ask("DELETE", "playbacks/p2") == (204, None)
    assert playbacks(client) == [("p1", "Started playing")]
    await client.ask("DELETE", "playbacks/p1")
    await client.has(5)
    assert playbacks(client)[1:] == [
        ("p1", "Finished done"),
        ("p2", "Finished done"),
        ("p3", "Started playing"),
        ("p3", "Finished done"),
    ]


async def test_given_a_repeated_playback_id_when_played_then_it_is_played_twice(client: RawClient) -> None:
    await play(client, "sound:short", "p1")
    await play(client, "sound:short", "p1")
    await client.has(4)
    assert playbacks(client) == [("p1", "Started playing"), ("p1", "Finished done")] * 2


async def test_given_several_media_when_played_as_one_then_it_continues_and_ends_once(
    client: RawClient,
) -> None:
    status, body = await client.ask(
        "POST", "channels/c1/play", media="sound:missing,sound:short,sound:short", playbackId="p1"
    )
    assert (status, body["media_uri"], body["next_media_uri"]) == (201, "sound:missing", "sound:short")
    await client.event("PlaybackFinished")
    assert playbacks(client) == [
        ("p1", "Started playing"),
        ("p1", "Continuing continuing"),
        ("p1", "Started playing"),
        ("p1", "Continuing continuing"),
        ("p1", "Started playing"),
        ("p1", "Finished done"),
    ]
    assert [event["playback"]["media_uri"] for event in client.events[::2]] == [
        "sound:missing",
        "sound:short",
        "sound:short",
    ]


async def test_given_a_phone_when_asked_whether_it_is_heard_then_it_is_from_its_early_media_on(
    client: RawClient, asterisk: FakeAsterisk
) -> None:
    async def received() -> int:
        status, body = await client.ask("GET", "channels/c2/rtp_statistics")
        assert status == 200
        count: int = body["rxcount"]
        return count

    await client.dialled("c2")
    asterisk.phone("c2").ring()
    assert await received() == 0
    asterisk.phone("c2").progress()
    assert await received() > 0


async def test_given_a_prompt_that_plays_when_the_phone_hangs_up_then_it_has_failed_before_the_end(
    client: RawClient, asterisk: FakeAsterisk
) -> None:
    await play(client, "sound:long", "p1")
    await play(client, "sound:long", "p2")
    await client.event("PlaybackStarted")
    asterisk.phone("c1").hang_up()
    await client.event("ChannelDestroyed")
    assert client.types()[1:] == [
        "ChannelHangupRequest",
        "PlaybackFinished",
        "StasisEnd",
        "ChannelDestroyed",
    ]
    assert playbacks(client) == [("p1", "Started playing"), ("p1", "Finished failed")]
    assert (await client.ask("GET", "playbacks/p2"))[0] == 404


@pytest.mark.parametrize("ring", [True, False])
async def test_given_a_phone_that_has_not_answered_when_played_to_then_412(
    client: RawClient, asterisk: FakeAsterisk, ring: bool
) -> None:
    await client.dialled("c2")
    if ring:
        asterisk.phone("c2").ring()
    answer = await client.ask("POST", "channels/c2/play", media="sound:short", playbackId="p1")
    assert answer == (412, {"message": "Channel in invalid state"})


async def test_given_a_bridge_when_channels_come_and_go_then_who_is_in_it_is_told(
    client: RawClient, asterisk: FakeAsterisk
) -> None:
    status, body = await client.ask("POST", "bridges/b1", type="mixing")
    assert (status, body["id"], body["bridge_type"], body["channels"]) == (200, "b1", "mixing", [])
    assert await client.ask("POST", "bridges/b1") == (409, {"message": "Bridge with id 'b1' already exists"})
    await client.create("c2")
    # A channel that was not dialled yet may be in a bridge: early media then reaches the other side.
    assert await client.ask("POST", "bridges/b1/addChannel", channel="c1,c2") == (204, None)
    assert (await client.ask("GET", "bridges"))[1][0]["channels"] == ["c1", "c2"]
    await client.ask("POST", "bridges/b2", type="mixing")
    await client.ask("POST", "bridges/b2/addChannel", channel="c2")
    assert await client.ask("POST", "bridges/b1/removeChannel", channel="c2") == (
        422,
        {"message": "Channel not in this bridge"},
    )
    asterisk.phone("c1").hang_up()
    await client.ask("DELETE", "bridges/b2")
    told = [
        (event["type"], event["bridge"]["id"], event.get("channel", {}).get("id"))
        for event in client.events
        if "bridge" in event
    ]
    assert told == [
        ("ChannelEnteredBridge", "b1", "c1"),
        ("ChannelEnteredBridge", "b1", "c2"),
        ("ChannelLeftBridge", "b1", "c2"),
        ("ChannelEnteredBridge", "b2", "c2"),
        ("ChannelLeftBridge", "b1", "c1"),
        ("ChannelLeftBridge", "b2", "c2"),
        ("BridgeDestroyed", "b2", None),
    ]


@pytest.mark.parametrize(
    ("request_line", "parameters", "answer"),
    [
        ("POST bridges/none/addChannel", {"channel": "c1"}, (404, "Bridge not found")),
        ("POST bridges/b1/addChannel", {"channel": "none"}, (400, "Channel not found")),
        ("POST bridges/b1/addChannel", {"channel": "c1,none"}, (400, "Channel not found")),
        ("POST bridges/b1/removeChannel", {"channel": "none"}, (400, "Channel not found")),
        ("DELETE bridges/none", {}, (404, "Bridge not found")),
        ("POST bridges/none/play", {"media": "sound:short"}, (404, "Bridge not found")),
        ("POST bridges/none/record", {"name": "r"}, (404, "Bridge not found")),
        (
            "POST bridges/b1/record",
            {"name": "r", "format": "nonsuch"},
            (422, "specified format is unknown on this system"),
        ),
        ("GET recordings/live/none", {}, (404, "Recording not found")),
        ("POST recordings/live/none/stop", {}, (404, "Recording not found")),
        ("GET recordings/stored/none/file", {}, (404, "Recording not found")),
        ("DELETE recordings/stored/none", {}, (404, "Recording not found")),
        ("POST channels/c1/variable", {"value": "1"}, (400, "Variable name is required")),
        ("POST channels/none/ring", {}, (404, "Channel not found")),
        ("POST channels/c1/play", {}, (500, "Failed to queue media for playback")),
        ("POST channels/create", {"app": "raw"}, (400, "Endpoint must be specified")),
        ("GET endpoints/PJSIP/none", {}, (404, "Endpoint not found")),
        ("GET applications/none", {}, (404, "Application not found")),
        ("PUT applications/none/eventFilter", {}, (404, "Application not found")),
        ("GET nonsuch", {}, (404, "Resource not found")),
        ("PATCH channels", {}, (400, "Unknown or missing 'method' property.")),
    ],
)
async def test_given_a_request_that_is_wrong_when_answered_then_status_and_message_are_asterisks(
    client: RawClient, request_line: str, parameters: dict[str, str], answer: tuple[int, str]
) -> None:
    await client.ask("POST", "bridges/b1")
    method, _, uri = request_line.partition(" ")
    status, message = answer
    assert await client.ask(method, uri, **parameters) == (status, {"message": message})


async def test_given_a_bridge_that_is_recorded_when_stopped_then_the_recording_is_kept(
    client: RawClient, asterisk: FakeAsterisk
) -> None:
    await client.ask("POST", "bridges/b1")
    await client.ask("POST", "bridges/b1/addChannel", channel="c1")
    status, body = await client.ask("POST", "bridges/b1/record", name="r1", format="alaw")
    assert (status, body) == (
        201,
        {"name": "r1", "format": "alaw", "state": "queued", "target_uri": "bridge:b1"},
    )
    await client.event("RecordingStarted")
    refusal = (409, {"message": "Recording 'r1' already exists and can not be overwritten"})
    assert await client.ask("POST", "bridges/b1/record", name="r1", format="alaw") == refusal
    assert (await client.ask("GET", "recordings/live/r1"))[1]["state"] == "recording"
    await asyncio.sleep(0.01)
    assert await client.ask("POST", "recordings/live/r1/stop") == (204, None)
    assert (await client.event("RecordingFinished"))["recording"]["duration"] == 0
    assert await client.ask("POST", "bridges/b1/record", name="r1", format="alaw") == refusal
    # A file is not for the socket.
    assert await client.ask("GET", "recordings/stored/r1/file") == (406, None)
    async with client.http.get("/ari/recordings/stored/r1/file") as answer:
        assert (answer.status, answer.content_type) == (200, "audio/alaw")
        assert await answer.read() == asterisk.stored_recordings["r1"][1] != b""


async def test_given_a_bridge_that_is_recorded_when_it_is_destroyed_then_the_recording_is_kept_untold(
    client: RawClient, asterisk: FakeAsterisk
) -> None:
    await client.ask("POST", "bridges/b1")
    await client.ask("POST", "bridges/b1/addChannel", channel="c1")
    await client.ask("POST", "bridges/b1/record", name="r1", format="alaw")
    await client.ask("DELETE", "bridges/b1")
    assert "r1" in asterisk.stored_recordings
    assert "RecordingFinished" not in client.types()


async def test_given_a_prompt_for_a_bridge_when_played_then_it_is_the_bridges(client: RawClient) -> None:
    await client.ask("POST", "bridges/b1")
    await client.ask("POST", "bridges/b1/addChannel", channel="c1")
    await play(client, "sound:short", "p1", target="bridges/b1")
    assert (await client.event("PlaybackFinished"))["playback"]["target_uri"] == "bridge:b1"

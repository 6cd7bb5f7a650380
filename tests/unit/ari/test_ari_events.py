"""Events on their way from Asterisk to listeners."""

import asyncio
from dataclasses import replace

import pytest
from unit.ari.support import (
    PHONE,
    answered,
    called,
    client_of,
    lost_and_regained,
    next_of,
    retry_at_once,
    waiting_phones,
)
from unit.support import soon

from controller.ari import Client, EventStream, ListenerOverflow
from controller.ari.fake import FakeAsterisk


async def types(events: EventStream, last: str) -> list[str]:
    """The types of the next events up to the first of type `last`."""
    read: list[str] = []
    while not read or read[-1] != last:
        read.append((await soon(events.get())).type)
    return read


async def test_given_a_call_when_it_goes_its_way_then_its_listener_reads_it_in_order(
    client: Client, asterisk: FakeAsterisk
) -> None:
    with client.listen("channel:c1") as events:
        phone = await called(client, asterisk, "c1")
        phone.ring()
        phone.answer()
        await client.channels.play("c1", "sound:hello", playback_id="p1")
        await soon(asterisk.told("PlaybackFinished"))
        phone.press("12")
        phone.hang_up()
        read = await types(events, "ChannelDestroyed")
    assert read == [
        "ChannelDialplan",
        "StasisStart",
        "Dial",
        "ChannelStateChange",
        "Dial",
        "ChannelStateChange",
        "Dial",
        "PlaybackStarted",
        "PlaybackFinished",
        "ChannelDtmfReceived",
        "ChannelDtmfReceived",
        "ChannelHangupRequest",
        "StasisEnd",
        "ChannelDestroyed",
    ]


async def test_given_two_calls_when_both_go_on_then_no_listener_reads_the_others_events(
    client: Client, asterisk: FakeAsterisk
) -> None:
    with client.listen("channel:c1") as first, client.listen("channel:c2") as second:
        phones = [await answered(client, asterisk, name) for name in ("c1", "c2")]
        for digits in ("1234567890", "*#"):
            phones[0].press(digits)
            phones[1].press(digits)
        keys = {"first": "", "second": ""}
        for name, events in (("first", first), ("second", second)):
            for _ in range(12):
                event = await soon(next_of(events, "ChannelDtmfReceived"))
                assert event.channel.id == ("c1" if name == "first" else "c2")
                keys[name] += event.digit
    assert keys == {"first": "1234567890*#", "second": "1234567890*#"}


async def test_given_a_playback_when_it_ends_then_its_channels_listener_and_its_own_are_told(
    client: Client, asterisk: FakeAsterisk
) -> None:
    with client.listen("channel:c1") as of_channel, client.listen("playback:p1") as of_playback:
        await answered(client, asterisk, "c1")
        await client.channels.play("c1", "sound:hello", playback_id="p1")
        for events in (of_channel, of_playback):
            finished = await soon(next_of(events, "PlaybackFinished"))
            assert (finished.playback.id, finished.playback.state) == ("p1", "done")


async def test_given_a_prompt_that_cannot_be_played_when_it_is_then_its_state_is_failed() -> None:
    async with (
        FakeAsterisk(waiting_phones, sounds=lambda _media: None) as asterisk,
        client_of(asterisk) as client,
    ):
        await client.wait_ready()
        with client.listen("channel:c1") as events:
            await answered(client, asterisk, "c1")
            await client.channels.play("c1", "sound:none", playback_id="p1")
            assert (await soon(next_of(events, "PlaybackFinished"))).playback.state == "failed"


async def test_given_a_listener_that_never_reads_when_events_pour_in_then_others_and_answers_go_on(
    client: Client, asterisk: FakeAsterisk
) -> None:
    with client.listen("channel:c1") as lazy, client.listen("channel:c2") as diligent:
        phone = await answered(client, asterisk, "c1")
        other = await answered(client, asterisk, "c2")
        phone.press("1" * 1500)
        other.press("2")
        assert (await soon(next_of(diligent, "ChannelDtmfReceived"))).digit == "2"
        await soon(client.asterisk.ping())
        with pytest.raises(ListenerOverflow):
            await soon(lazy.get())
        phone.hang_up()
        assert (await soon(next_of(lazy, "ChannelDestroyed"))).cause == 16


async def test_given_a_listener_that_was_closed_when_events_arrive_then_nothing_gathers_anywhere(
    client: Client, asterisk: FakeAsterisk
) -> None:
    kept = client.listen("channel:c1")
    for number in range(100):
        with client.listen("channel:c1", f"playback:{number}"):
            pass
    phone = await answered(client, asterisk, "c1")
    phone.hang_up()
    await soon(next_of(kept, "ChannelDestroyed"))
    kept.close()
    assert client.listened_to == []


async def test_given_unwanted_types_when_connected_then_asterisk_does_not_send_them(
    asterisk: FakeAsterisk,
) -> None:
    unwanted = ["ChannelDialplan", "ChannelStateChange", "StasisEnd"]
    async with client_of(asterisk, unwanted_events=unwanted) as client:
        await client.wait_ready()
        with client.listen("channel:c1") as events:
            (await answered(client, asterisk, "c1")).hang_up()
            read = await types(events, "ChannelDestroyed")
    assert read == ["StasisStart", "Dial", "Dial", "ChannelHangupRequest", "ChannelDestroyed"]
    assert "StasisEnd" in [event["type"] for event in asterisk.events]


async def test_given_garbage_and_unknown_events_when_they_arrive_then_the_connection_lives_on(
    client: Client, asterisk: FakeAsterisk
) -> None:
    with client.listen("channel:c1") as events:
        phone = await answered(client, asterisk, "c1")
        for text in ("", "?", "[]", "{}", '{"type":7}', '{"type":"Dial","peer":7}', "\ud83d\ude00" * 9):
            asterisk.send_raw(text.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
        asterisk.send_event("SomethingNew", channel={"id": "c1"})
        asterisk.send_event("ChannelDestroyed", channel={"id": "c1"})
        phone.press("5")
        new = await soon(next_of(events, "SomethingNew"))
        # The event without its cause was left out, all else is there.
        assert (await soon(events.get())).type == "ChannelDtmfReceived"
    assert type(new).__name__ == "Event"
    assert client.ready
    assert asterisk.connections == 1


async def test_given_a_node_of_several_when_its_connection_has_trouble_then_the_log_names_it(
    asterisk: FakeAsterisk, caplog: pytest.LogCaptureFixture
) -> None:
    address = replace(asterisk.address, name="node7")
    async with Client(address, "app", retry=retry_at_once) as client:
        await soon(client.wait_ready())
        with client.listen("channel:c1") as events:
            asterisk.send_raw("?")
            asterisk.send_event("ChannelDestroyed", channel={"id": "c1"})
            asterisk.send_event("SomethingNew", channel={"id": "c1"})
            await soon(next_of(events, "SomethingNew"))
        await soon(lost_and_regained(client, asterisk))
    told = [(record.getMessage(), vars(record)["node"]) for record in caplog.records]
    assert told == [
        ("ARI message ignored", "node7"),
        ("ARI event ignored", "node7"),
        ("ARI connection lost", "node7"),
    ]


async def test_given_events_that_asterisk_doubles_omits_and_delays_when_read_then_they_are_as_sent(
    client: Client, asterisk: FakeAsterisk
) -> None:
    with client.listen("channel:c1") as events:
        phone = await answered(client, asterisk, "c1")
        asterisk.faults.omit("ChannelDtmfReceived")
        phone.press("1")
        asterisk.faults.double("ChannelDtmfReceived")
        phone.press("2")
        asterisk.faults.hold_back("ChannelDtmfReceived")
        phone.press("34")
        digits = [(await soon(next_of(events, "ChannelDtmfReceived"))).digit for _ in range(4)]
    assert digits == ["2", "2", "4", "3"]


async def test_given_a_large_snapshot_when_connecting_then_it_is_read() -> None:
    async with FakeAsterisk(waiting_phones, entry_delay=0) as asterisk:
        async with client_of(asterisk) as client:
            await client.wait_ready()
            await asyncio.gather(
                *(client.channels.create(PHONE, channel_id=f"c{number}") for number in range(300))
            )
        async with client_of(asterisk) as client:
            await soon(client.wait_ready())
            assert len((await client.snapshot()).channels) == 300

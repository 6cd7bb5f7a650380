"""What became of everything while the connection was lost."""

import math

from unit.ari.support import answered, called, client_of, lost_and_regained, next_of
from unit.support import soon

from controller.ari import (
    Client,
    ObjectGone,
    ObjectPresent,
    Snapshot,
)
from controller.ari.fake import FakeAsterisk


async def test_given_listeners_when_the_socket_is_regained_then_each_is_told_what_became_of_its_object(
    client: Client, asterisk: FakeAsterisk
) -> None:
    asterisk.sounds = lambda _media: math.inf
    phones = {name: await answered(client, asterisk, name) for name in ("stays", "ends", "plays")}
    await client.bridges.create(bridge_id="stays")
    await client.channels.play("plays", "sound:long", playback_id="plays")
    await client.channels.play("ends", "sound:long", playback_id="ends")
    await client.bridges.record("stays", name="runs", audio_format="alaw")
    keys = {
        "channel:stays": True,
        "channel:ends": False,
        "channel:never": False,
        "bridge:stays": True,
        "bridge:never": False,
        "playback:plays": True,
        "playback:ends": False,
        "recording:runs": True,
        "recording:never": False,
    }
    streams = {key: client.listen(key) for key in keys}
    asterisk.drop_sockets()
    phones["ends"].hang_up()
    await soon(client.wait_lost())
    await soon(client.wait_ready())
    told = {key: await soon(stream.get()) for key, stream in streams.items()}
    assert {key: isinstance(event, ObjectPresent) for key, event in told.items()} == keys
    assert all(
        isinstance(event, ObjectPresent | ObjectGone) and event.key == key for key, event in told.items()
    )
    present = told["channel:stays"]
    assert isinstance(present, ObjectPresent)
    assert present.channel is not None
    assert present.channel.state == "Up"


async def test_given_a_gap_when_over_then_its_events_are_lost_and_the_next_ones_are_not(
    client: Client, asterisk: FakeAsterisk
) -> None:
    with client.listen("channel:c1") as events:
        phone = await called(client, asterisk, "c1")
        asterisk.drop_sockets()
        phone.ring()
        await soon(client.wait_lost())
        await soon(client.wait_ready())
        present = await soon(next_of(events, "ObjectPresent"))
        assert present.channel.state == "Ringing"
        phone.answer()
        assert (await soon(events.get())).type == "ChannelStateChange"
        assert (await soon(events.get())).dialstatus == "ANSWER"


async def test_given_a_restart_when_connected_again_then_the_time_of_start_has_changed_and_all_is_gone(
    asterisk: FakeAsterisk,
) -> None:
    snapshots: list[Snapshot] = []

    async def remember(snapshot: Snapshot) -> None:
        snapshots.append(snapshot)

    async with client_of(asterisk, on_ready=remember) as client:
        await soon(client.wait_ready())
        with client.listen("channel:c1") as events:
            await answered(client, asterisk, "c1")
            asterisk.restart()
            assert isinstance(await soon(next_of(events, "ObjectGone")), ObjectGone)
        await soon(client.wait_ready())
    first, second = snapshots
    assert first.startup_time != second.startup_time
    assert second.channels == {}


async def test_given_channels_with_reported_variables_when_reconnected_then_the_snapshot_has_them(
    asterisk: FakeAsterisk,
) -> None:
    snapshots: list[Snapshot] = []

    async def remember(snapshot: Snapshot) -> None:
        snapshots.append(snapshot)

    async with client_of(asterisk, on_ready=remember) as client:
        await soon(client.wait_ready())
        variables = {"VOICECALL": {"value": "call-1", "report_events": True}, "OTHER": "x"}
        await called(client, asterisk, "c1", variables)
        await soon(lost_and_regained(client, asterisk))
    assert snapshots[-1].channels["c1"].channelvars == {"VOICECALL": "call-1"}


async def test_given_listeners_are_told_before_ready_when_reconnected_then_ready_means_up_to_date(
    asterisk: FakeAsterisk,
) -> None:
    order: list[str] = []

    async def get_ready(_snapshot: Snapshot) -> None:
        order.append((await events.get()).type)
        order.append(f"on_ready, ready: {client.ready}")

    client = client_of(asterisk, on_ready=get_ready)
    with client.listen("channel:c1") as events:
        async with client:
            await soon(client.wait_ready())
    assert order == ["ObjectGone", "on_ready, ready: False"]


async def test_given_asterisk_is_given_up_when_told_so_then_every_listener_hears_that_its_object_is_gone(
    client: Client,
) -> None:
    with client.listen("channel:a", "bridge:b") as both, client.listen("channel:a") as one:
        client.tell_all_gone()
        assert {(await soon(both.get())).key for _ in range(2)} == {"channel:a", "bridge:b"}
        assert (await soon(one.get())).key == "channel:a"

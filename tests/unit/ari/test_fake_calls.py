"""The fake Asterisk does with calls what was recorded on Asterisk 22.10.1."""

from random import Random

import pytest
from unit.ari.raw import RawClient, raw_client
from unit.ari.support import PHONE, waiting_phones

from controller.ari.fake import Behaviour, FakeAsterisk, cause_of, sip_status_of

FOLLOWING_CREATE = ["ChannelDialplan", "StasisStart"]
ENDING = ["ChannelHangupRequest", "StasisEnd", "ChannelDestroyed"]


async def test_given_a_channel_when_created_then_it_is_down_and_enters_its_application_afterwards(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        variables = {"CALLERID(num)": "+861", "CALL": {"value": "7", "report_events": True}, "B": "hidden"}
        status, body = await client.ask(
            "POST",
            "channels/create",
            {"variables": variables},
            endpoint=PHONE,
            app="raw",
            channelId="c1",
            appArgs="x,y",
        )
        assert status == 200
        assert (body["id"], body["state"], body["caller"]["number"]) == ("c1", "Down", "+861")
        start = await client.event("StasisStart")
        assert start["args"] == ["x", "y"]
        assert start["channel"]["channelvars"] == {"CALL": "7"}
        assert start["application"] == "raw"
        status, channel = await client.ask("GET", "channels/c1")
        assert (status, channel["channelvars"]) == (200, {"CALL": "7"})
        assert await client.ask("GET", "channels") == (200, [channel])


async def test_given_a_channel_that_is_not_in_its_application_when_dialled_then_409(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        made = client.send("POST", "channels/create", endpoint=PHONE, app="raw", channelId="c1")
        dialled = client.send("POST", "channels/c1/dial", timeout="5")
        assert (await made)[0] == 200
        assert await dialled == (409, {"message": "Channel not in Stasis application"})


async def test_given_a_channel_that_rings_or_is_up_when_dialled_then_409(asterisk: FakeAsterisk) -> None:
    refusal = (409, {"message": "Channel is not in the 'Down' state"})
    async with raw_client(asterisk) as client:
        await client.dialled("c1")
        asterisk.phone("c1").ring()
        assert await client.ask("POST", "channels/c1/dial") == refusal
        asterisk.phone("c1").answer()
        assert await client.ask("POST", "channels/c1/dial") == refusal


async def test_given_a_channel_that_is_being_dialled_when_dialled_again_then_it_ends(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await client.dialled("c1")
        assert await client.ask("POST", "channels/c1/dial") == (204, None)
        assert (await client.event("ChannelDestroyed"))["cause"] == 16


@pytest.mark.parametrize(
    ("channel_id", "endpoint"), [("c1", PHONE), ("c2", "Foo/1")], ids=["repeated id", "unknown technology"]
)
async def test_given_what_asterisk_calls_a_repeated_id_when_created_then_409(
    asterisk: FakeAsterisk, channel_id: str, endpoint: str
) -> None:
    async with raw_client(asterisk) as client:
        await client.create("c1")
        answer = await client.ask(
            "POST", "channels/create", endpoint=endpoint, app="raw", channelId=channel_id
        )
        assert answer == (409, {"message": "Channel with given unique ID already exists"})


@pytest.mark.parametrize(
    ("behaviour", "statuses", "end"),
    [
        (Behaviour(sip_status=486), ["", "RINGING"], (17, "User busy", 486)),
        (
            Behaviour(ring_after=None, sip_status=404),
            [""],
            (1, "Unallocated (unassigned) number", 404),
        ),
        (Behaviour(ring_after=None, sip_status=408), [""], (18, "No user responding", 408)),
        (Behaviour(ring_after=None, sip_status=480), [""], (19, "User alerting, no answer", 480)),
        (
            Behaviour(ring_after=None, sip_status=480, cause=20),
            [""],
            (20, "Subscriber absent", 480),
        ),
        (Behaviour(ring_after=None, sip_status=503), [""], (34, "Circuit/channel congestion", 503)),
        (Behaviour(sip_status=603), ["", "RINGING"], (21, "Call Rejected", 603)),
        (Behaviour(early_media=True, cause=27), ["", "PROGRESS"], (27, "Destination out of order", None)),
        (Behaviour(hang_up_after=0.0), ["", "RINGING", "ANSWER"], (16, "Normal Clearing", None)),
    ],
)
async def test_given_a_behaviour_when_the_phone_is_called_then_its_events_are_as_recorded(
    behaviour: Behaviour, statuses: list[str], end: tuple[int, str, int | None]
) -> None:
    async with FakeAsterisk(lambda *_: behaviour) as asterisk, raw_client(asterisk) as client:
        await client.dialled("c1", timeout=30)
        destroyed = await client.event("ChannelDestroyed")
        assert [it["dialstatus"] for it in client.events if it["type"] == "Dial"] == statuses
        assert (destroyed["cause"], destroyed["cause_txt"], destroyed.get("tech_cause")) == end
        assert client.types()[-3:] == ENDING
        assert await client.ask("GET", "channels/c1") == (404, {"message": "Channel not found"})
        assert await client.ask("DELETE", "channels/c1") == (404, {"message": "Channel not found"})


async def test_given_a_script_when_a_phone_is_called_then_it_knows_whom_and_for_what() -> None:
    seen = []

    def phones(endpoint, variables):
        seen.append((endpoint, dict(variables)))
        return Behaviour(digits=((0.0, "4"), (0.001, "2")))

    async with FakeAsterisk(phones) as asterisk, raw_client(asterisk) as client:
        await client.create("c1", {"A": "1", "B": {"value": "2", "report_events": True}})
        await client.ask("POST", "channels/c1/dial")
        await client.event("ChannelDtmfReceived", digit="4")
        await client.event("ChannelDtmfReceived", digit="2")
    assert seen == [(PHONE, {"A": "1", "B": "2"})]


@pytest.mark.parametrize("ring", [True, False])
async def test_given_a_phone_that_does_not_answer_when_asterisks_time_is_up_then_cause_19(
    asterisk: FakeAsterisk, ring: bool
) -> None:
    async with raw_client(asterisk) as client:
        await client.dialled("c1", timeout=0.3)
        if ring:
            asterisk.phone("c1").ring()
        end = await client.event("ChannelDestroyed")
        assert (end["cause"], end["tech_cause"]) == (19, 480)
        assert end["channel"]["state"] == ("Ringing" if ring else "Down")


async def test_given_a_phone_that_answers_in_time_when_the_time_is_up_then_it_stays(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await client.dialled("c1", timeout=0.3)
        asterisk.phone("c1").answer()
        with pytest.raises(TimeoutError):
            await asterisk.told("ChannelDestroyed", limit=0.5)


@pytest.mark.parametrize(
    ("state", "reason", "end"),
    [
        ("created", {}, (16, 603)),
        ("dialled", {"reason_code": 19}, (19, 480)),
        ("up", {}, (16, None)),
        ("up", {"reason_code": 21}, (21, 403)),
    ],
)
async def test_given_a_channel_when_told_to_hang_up_then_its_cause_is_what_was_said(
    asterisk: FakeAsterisk, state: str, reason: dict[str, int], end: tuple[int, int | None]
) -> None:
    async with raw_client(asterisk) as client:
        if state == "created":
            await client.create("c1")
        else:
            await client.dialled("c1")
        if state == "up":
            asterisk.phone("c1").answer()
        assert await client.ask("DELETE", "channels/c1", **reason) == (204, None)
        destroyed = await client.event("ChannelDestroyed")
        assert (destroyed["cause"], destroyed.get("tech_cause")) == end
        assert client.types()[-3:] == ENDING
        assert asterisk.channels == {}
        # The id is free again.
        await client.create("c1")


async def originate(client: RawClient, channel_id: str, app: str = "raw", **parameters: object) -> None:
    status, body = await client.ask("POST", f"channels/{channel_id}", endpoint=PHONE, app=app, **parameters)
    assert (status, body["id"], body["state"]) == (200, channel_id, "Down")


async def test_given_a_channel_that_is_originated_when_answered_then_it_enters_its_application(
    asterisk: FakeAsterisk,
) -> None:
    refusal = (409, {"message": "Channel not in Stasis application"})
    async with raw_client(asterisk) as client:
        await originate(client, "c1", timeout=30)
        await client.event("Dial", dialstatus="")
        asterisk.phone("c1").ring()
        assert await client.ask("POST", "channels/c1/play", media="sound:a") == refusal
        asterisk.phone("c1").answer()
        await client.event("StasisStart")
        assert client.types() == [
            "Dial",
            "ChannelStateChange",
            "Dial",
            "ChannelStateChange",
            "Dial",
            "ChannelDialplan",
            "StasisStart",
        ]
        assert (await client.ask("POST", "channels/c1/play", media="sound:a"))[0] == 201


@pytest.mark.parametrize(
    ("sip_status", "dial_status", "cause"),
    [(486, "BUSY", 17), (480, "NOANSWER", 19), (404, "NOANSWER", 1), (503, "CONGESTION", 34)],
)
async def test_given_a_channel_that_is_originated_when_refused_then_the_dial_ends_before_the_channel(
    asterisk: FakeAsterisk, sip_status: int, dial_status: str, cause: int
) -> None:
    async with raw_client(asterisk) as client:
        await originate(client, "c1")
        await client.event("Dial", dialstatus="")
        asterisk.phone("c1").refuse(sip_status)
        end = await client.event("ChannelDestroyed")
        assert (end["cause"], end["tech_cause"]) == (cause, sip_status)
        assert client.types()[-3:] == ["ChannelHangupRequest", "Dial", "ChannelDestroyed"]
        assert client.events[-2]["dialstatus"] == dial_status


async def test_given_a_channel_that_is_originated_when_the_time_is_up_then_only_its_end_is_told(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await originate(client, "c1", timeout=0.01)
        end = await client.event("ChannelDestroyed")
        assert (end["cause"], end["tech_cause"]) == (19, 480)
        assert client.types() == ["Dial", "ChannelDestroyed"]


async def test_given_nobody_listens_when_an_originated_phone_answers_then_it_is_hung_up(
    asterisk: FakeAsterisk,
) -> None:
    async with raw_client(asterisk) as client:
        await originate(client, "c1", app="nobody")
        await originate(client, "c2")
        assert [channel["id"] for channel in (await client.ask("GET", "channels"))[1]] == ["c1", "c2"]
        asterisk.drop_sockets()
        for channel_id in ("c1", "c2"):
            asterisk.phone(channel_id).answer()
        await asterisk.until(lambda: not asterisk.channels)


async def test_given_ringing_when_told_then_both_orders_occur_and_a_seed_repeats_them() -> None:
    async def order(seed: int) -> tuple[str, ...]:
        async with (
            FakeAsterisk(waiting_phones, random=Random(seed)) as asterisk,
            raw_client(asterisk) as client,
        ):
            await client.dialled("c1")
            await client.event("Dial", dialstatus="")
            asterisk.phone("c1").ring()
            await client.event("Dial", dialstatus="RINGING")
            await client.event("ChannelStateChange")
            return tuple(client.types()[-2:])

    orders = [await order(seed) for seed in range(8)]
    assert set(orders) == {("ChannelStateChange", "Dial"), ("Dial", "ChannelStateChange")}
    assert orders == [await order(seed) for seed in range(8)]


@pytest.mark.parametrize(
    ("sip_status", "cause"),
    [(302, 23), (403, 21), (404, 1), (408, 18), (480, 19), (484, 28), (486, 17), (488, 58), (500, 38),
     (503, 34), (599, 34), (487, 127), (499, 127), (600, 17), (603, 21), (604, 1), (699, 127)],
)  # fmt: skip
def test_given_a_sip_status_when_made_a_cause_then_it_is_what_chan_pjsip_makes(
    sip_status: int, cause: int
) -> None:
    assert cause_of(sip_status) == cause


@pytest.mark.parametrize(
    ("cause", "sip_status"), [(16, 0), (17, 486), (19, 480), (21, 403), (38, 500), (99, 0)]
)
def test_given_a_cause_when_made_a_sip_status_then_it_is_what_chan_pjsip_makes(
    cause: int, sip_status: int
) -> None:
    assert sip_status_of(cause) == sip_status

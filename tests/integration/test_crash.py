"""A controller that is killed: what talks goes on, what doesn't is closed, and no recording is lost."""

import asyncio
from datetime import datetime

import pytest
from integration.recordings import audio_of, fetched
from integration.support import APP_KEY, QUICK, SECOND, SECRET, Bench, StartBench

from testbed.listening import load_wav, share_heard, tone_share
from testbed.softphone_plan import Answer, RingOnly, Tone

A_TONE, B_TONE = 700, 900
PATIENT = {"calls": QUICK.model_copy(update={"ring_timeout": 10.0})}


def talk_time(cdr: dict[str, str]) -> float:
    """Seconds from B's answer to the end, as the customer is charged."""
    ended, answered = (datetime.fromisoformat(cdr[name]) for name in ("callEndTime", "fwdAnswerTime"))
    return (ended - answered).total_seconds()


async def nothing_is_left(b: Bench) -> bool:
    ari = b.controller.node.ari
    return await ari.channels.list() == [] and await ari.bridges.list() == []


@pytest.mark.requirement("E4", "A1.4", "A1.5")
async def test_E4_given_a_talking_callback_when_the_controller_is_killed_then_the_next_one_goes_on_with_it(
    bench: StartBench,
) -> None:
    b = await bench(
        Answer(play=Tone(A_TONE, seconds=3.6)),
        phones={SECOND: Answer(play=Tone(B_TONE, seconds=3.6))},
        controller=False,
        sections={"calls": QUICK.model_copy(update={"minute": 4.0})},
    )
    async with b.killed():
        session = await b.call_back(maxDuration=2, lastMinVoice="two.wav", recordFlag="true")
        await b.b_answered(session)

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        a, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
        heard_by_a, heard_by_b = load_wav(await a.recorded()), load_wav(await second.recorded())
        statuses, cdr = await b.over(session)
        _link, file = await fetched(b, cdr["recordObjectName"])
        assert await nothing_is_left(b)

    assert statuses[-1].info["stateCode"] == 8010
    assert 7 <= talk_time(cdr) <= 10  # two minutes of 4 s, in whole seconds
    assert 7.5 < heard_by_b.seconds < 10
    assert tone_share(heard_by_a, B_TONE, 0.5, 3.0) > 0.8
    assert tone_share(heard_by_b, A_TONE, 0.5, 3.0) > 0.8
    prompt = load_wav(b.home.directory / "two.wav")
    for heard in (heard_by_a, heard_by_b):
        assert share_heard(prompt, heard, length=0.25) >= 0.5
    recording = audio_of(file)
    assert 7.5 < recording.seconds < 10
    for tone in (A_TONE, B_TONE):
        assert tone_share(recording, tone, 0.5, 3.0) > 0.25, tone


@pytest.mark.requirement("E4", "A1.1")
@pytest.mark.parametrize("party", ["caller", "callee"])
async def test_E4_given_a_callback_that_outlived_its_controller_when_a_side_hangs_up_then_both_end_normally(
    bench: StartBench, party: str
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer()}, controller=False)
    async with b.killed():
        session = await b.call_back(partyTypeRequiredInDisconnect="true")
        await b.b_answered(session)

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        a, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
        await (a if party == "caller" else second).hang_up()
        end_of_a, end_of_b = await a.ended(), await second.ended()
        statuses, cdr = await b.over(session)
        assert await nothing_is_left(b)

    assert (end_of_a.by_phone, end_of_b.by_phone) == (party == "caller", party == "callee")
    assert (statuses[-1].info["stateCode"], statuses[-1].info["partyType"]) == (0, party)
    assert cdr["ulFailReason"] == 0
    answered = second.event("answered")
    assert answered is not None
    assert abs(talk_time(cdr) - (end_of_b.at - answered.at)) <= 2


@pytest.mark.requirement("E4", "A1.1")
@pytest.mark.parametrize("renamed", ["controller", "application"])
async def test_E4_given_a_talking_callback_when_its_controller_is_renamed_and_started_then_it_goes_on(
    bench: StartBench, renamed: str
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer()}, controller=False)
    async with b.killed():
        session = await b.call_back(partyTypeRequiredInDisconnect="true")
        await b.b_answered(session)

    asterisk = b.home.settings.asterisk.model_copy(update={"application": "renamed"})
    changes = {"name": "renamed"} if renamed == "controller" else {"asterisk": asterisk}
    b.home.settings = b.home.settings.model_copy(update=changes)
    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        calls = b.controller.calls
        async with asyncio.timeout(30):
            while not calls.live:  # noqa: ASYNC110 - nobody tells that a call goes on
                await asyncio.sleep(0.1)
        await (await b.phones[SECOND].next_call()).hang_up()
        statuses, cdr = await b.over(session)
        assert await nothing_is_left(b)

    assert (statuses[-1].info["stateCode"], statuses[-1].info["partyType"]) == (0, "callee")
    assert cdr["ulFailReason"] == 0


@pytest.mark.requirement("E4")
@pytest.mark.parametrize("stage", ["B rings", "A hung up"])
async def test_E4_given_a_callback_that_does_not_talk_when_its_controller_was_killed_then_it_is_closed(
    bench: StartBench, stage: str
) -> None:
    rings = stage == "B rings"
    b = await bench(
        Answer(), phones={SECOND: RingOnly() if rings else Answer()}, controller=False, sections=PATIENT
    )
    async with b.killed():
        session = await b.call_back()
        a, second = await b.phone.next_call(), await b.phones[SECOND].next_call()
        await (second.ringing() if rings else b.b_answered(session))
    if not rings:
        await a.hang_up()

    async with b.home.serving(APP_KEY, SECRET) as (b.controller, b.client):
        await a.ended()
        await second.ended()
        statuses, cdr = await b.over(session)
        assert await nothing_is_left(b)

    assert statuses[-1].info["stateCode"] == 8000
    assert ("fwdAnswerTime" in cdr) == (not rings)


@pytest.mark.requirement("E4", "A1.4")
async def test_E4_given_a_talking_callback_when_the_event_socket_is_cut_then_it_goes_on_to_its_limit(
    bench: StartBench,
) -> None:
    b = await bench(Answer(), phones={SECOND: Answer()})
    session = await b.call_back(maxDuration=2)
    await b.b_answered(session)

    await b.controller.node.ari.reconnect()
    statuses, cdr = await b.over(session)

    assert statuses[-1].info["stateCode"] == 8010
    assert 3 <= talk_time(cdr) <= 5

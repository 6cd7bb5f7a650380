"""All three services at once: no call disturbs another."""

import asyncio
from typing import Any

import pytest
from integration.support import CALLED, QUICK, SECOND, VERIFY_KEY, Bench, StartBench

from testbed.listening import find, load_wav, share_heard, tone_stretches
from testbed.softphone_plan import Answer, Digits, Tone

NOTIFIED, VERIFIED = "+8613900003331", "+8613900003332"
A_TONE, B_TONE = 700, 900
SIMULATED = QUICK.simulated_prefix


async def notified(b: Bench) -> None:
    session = await b.notify({"notifyVoice": "two.wav", "collectInd": 1}, callee=NOTIFIED)
    heard = load_wav(await (await b.phones[NOTIFIED].next_call()).recorded(timeout=30))
    statuses, cdr = await b.over(session, 30)

    assert share_heard(load_wav(b.home.directory / "two.wav"), heard, length=0.25) > 0.6
    assert (cdr["dynIVRPath"], cdr["ulFailReason"]) == ("7", 0)
    assert all(status.info.get("called", NOTIFIED) == NOTIFIED for status in statuses)


async def verified(b: Bench) -> None:
    session = await b.verify("4711", calleeNbr=VERIFIED, times=1, posTone="wait.wav")
    heard = load_wav(await (await b.phones[VERIFIED].next_call()).recorded(timeout=30))
    _statuses, cdr = await b.over(session, 30)

    pre, post = (find(load_wav(b.home.directory / name), heard) for name in ("one.wav", "wait.wav"))
    assert min(pre.correlation, post.correlation) > 0.5
    assert pre.offset + 1.0 + 4 * 0.5 < post.offset
    assert find(load_wav(b.home.directory / "two.wav"), heard).correlation < 0.4
    assert (cdr["ulFailReason"], "dynIVRPath" in cdr) == (0, False)


async def called_back(b: Bench) -> None:
    session = await b.call_back()
    a, second = await b.phones[CALLED].next_call(), await b.phones[SECOND].next_call()
    heard_by_a, heard_by_b = load_wav(await a.recorded(timeout=30)), load_wav(await second.recorded())
    _statuses, cdr = await b.over(session, 30)

    for heard, tone in ((heard_by_a, B_TONE), (heard_by_b, A_TONE)):
        assert sum(stretch.seconds for stretch in tone_stretches(heard, tone)) > 1.2
    assert (cdr["ulFailReason"], "fwdAnswerTime" in cdr) == (0, True)


async def simulated(b: Bench, start: Any, expected: int) -> None:
    _statuses, cdr = await b.over(await start, 30)
    assert cdr["ulFailReason"] == expected


@pytest.mark.requirement("A4.1")
async def test_A4_1_given_all_three_services_at_once_when_many_calls_run_then_none_disturbs_another(
    bench: StartBench,
) -> None:
    b = await bench(
        Answer(play=Tone(A_TONE)),
        phones={
            SECOND: Answer(play=Tone(B_TONE), hang_up_after=2.5),
            NOTIFIED: Answer(digits=(Digits("7", after=1.4),)),
            VERIFIED: Answer(),
        },
    )
    busy, answers = f"{SIMULATED}01700000", f"{SIMULATED}01600001"
    others = [
        call
        for _ in range(4)
        for call in (
            simulated(b, b.notify(callee=busy), 519),
            simulated(b, b.notify({"notifyVoice": "long.wav"}, callee=answers), 0),
            simulated(b, b.verify("90", calleeNbr=answers), 0),
            simulated(b, b.call_back(callerNbr=f"{SIMULATED}01600000", calleeNbr=busy), 518),
            simulated(b, b.call_back(callerNbr=f"{SIMULATED}01600000", calleeNbr=answers), 0),
        )
    ]

    stopped = await b.verify("47", calleeNbr=f"{SIMULATED}01600000", times=0)
    await b.receiver.wait_status(stopped, "answer")
    running = asyncio.gather(notified(b), verified(b), called_back(b), *others)
    assert (await b.stop(stopped, VERIFY_KEY)).code == "0"
    await running
    statuses, _cdr = await b.over(stopped)

    assert statuses[-1].info["stateCode"] == 8017
    disconnects = [status for status in b.receiver.statuses() if status.event_type == "disconnect"]
    assert len(disconnects) == len({status.info["sessionId"] for status in disconnects}) == 24
    assert await b.controller.node.ari.channels.list() == []
    assert await b.controller.node.ari.bridges.list() == []

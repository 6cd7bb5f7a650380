"""Several controllers on one PostgreSQL and one Asterisk: one is killed, paused or restarted under load."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from integration.collecting import Collector, parent_of
from integration.controllers import (
    A_TONE,
    B_TONE,
    RINGS,
    TAKEN_OVER,
    Group,
    Member,
    call_of,
    callee,
    several_controllers,
    talk,
)
from integration.support import CALLED, QUICK, SECOND, StartBench

from controller.membership.membership import CERTAIN
from controller.observability.trace_ids import trace_id
from controller.settings import TraceSettings
from testbed.client import CLICK2CALL
from testbed.listening import load_wav, tone_share
from testbed.phone_call import PhoneCall
from testbed.push_receiver import Hang, Push, Reply
from testbed.softphone_plan import Answer, Tone

pytestmark = [pytest.mark.requirement("E2", "E4"), pytest.mark.engine("postgresql")]


PATIENT = QUICK.model_copy(update={"ring_timeout": 60.0})


@pytest.fixture
def app() -> dict[str, object]:
    """What the app of notifications has, beside what it needs."""
    return {}


@pytest.fixture
async def group(bench: StartBench, tmp_path: Path, app: dict[str, object]) -> AsyncIterator[Group]:
    phones = {SECOND: Answer(play=Tone(B_TONE))}
    async with several_controllers(
        bench, tmp_path, Answer(play=Tone(A_TONE)), phones=phones, app=app
    ) as group:
        yield group


async def phones_of(group: Group) -> tuple[PhoneCall, PhoneCall]:
    """Both sides of the callback between the phones."""
    return await group.bench.phones[CALLED].next_call(), await group.bench.phones[SECOND].next_call()


async def test_E2_given_a_controller_that_is_killed_when_ten_seconds_are_over_then_all_it_had_is_anothers(
    group: Group,
) -> None:
    """Its application's name, its channels, its outbox."""
    receiver, settings = group.bench.receiver, group.bench.home.settings
    sections = {"calls": PATIENT, "pushes": settings.pushes.model_copy(update={"timeout": 30})}
    a, _b = await asyncio.gather(group.start("a", **sections), group.start("b", **sections))
    talks = await group.talking(a)
    rings = await group.call_back(a, callee(900, talk=90), RINGS)
    await group.told(rings, "alerting", RINGS)
    # Nobody says that this CDR has come: it stays in the outbox.
    receiver.plan(Hang(), path="/fee")
    over = await group.notify(a, 1, talk=1)
    assert over is not None
    await receiver.wait_cdr(over, 15)
    plays = await group.notify(a, 2, talk=90, prompt="long.wav")
    assert plays is not None
    await receiver.wait_status(plays, "answer")
    receiver.plan(Reply(), path="/fee")
    pushed = len(receiver.pushes)

    killed = time.monotonic()
    a.process.send(signal.SIGKILL)

    async def its_calls_are_bs() -> bool:
        # What doesn't talk is hung up, and what talks is heard of.
        return (
            await group.taken_over("a", by="b")
            and await group.only_talks(talks)
            and await group.hears_of("b", talks)
        )

    done = {"calls": await group.until(its_calls_are_bs, 2 * TAKEN_OVER) - killed}
    for session in (over, rings, plays):
        push = await receiver.wait_for(
            lambda push, session=session: (
                session in [fee.get("sessionId") for fee in push.json.get("feeLst", ())]
            ),
            since=pushed,
        )
        done[f"CDR of {call_of(session)}"] = push.arrived - killed
    assert max(done.values()) < TAKEN_OVER, done

    # Nobody holds on to its name.
    a = await group.start("a")
    later = await group.notify(a, 3)
    first, second = await phones_of(group)
    await talk(first, second)
    assert receiver.cdrs(talks) == []
    await first.hang_up()
    heard = load_wav(await second.recorded())
    assert later is not None
    await group.all_told([talks, rings, over, plays, later])
    assert group.told_once([talks, rings, plays, later])
    assert group.disconnects(over) == 1
    # Nobody knows whether it came the first time. Who gets it twice can tell.
    assert receiver.cdrs(over) == [receiver.cdrs(over)[0]] * 2
    codes = {session: receiver.statuses(session)[-1].info["stateCode"] for session in (talks, rings, plays)}
    assert codes == {talks: 0, rings: 8000, plays: 8000}
    # Without a gap, whoever ran it.
    assert heard.seconds > TAKEN_OVER / 2
    assert tone_share(heard, A_TONE, 0.5, heard.seconds - 0.5) > 0.8


@pytest.mark.requirement("B1")
@pytest.mark.parametrize("app", [{}, {"push_profile": "durable"}], ids=["compat", "durable"])
async def test_E2_given_two_controllers_under_load_when_one_is_killed_then_all_is_told_as_often_as_promised(
    group: Group, app: dict[str, object]
) -> None:
    a, b = await asyncio.gather(group.start("a"), group.start("b"))
    asked: dict[str | None, Member] = {}

    async def ask(index: int, member: Member) -> None:
        # So that they end one after the other, some before the kill.
        await asyncio.sleep(index * 0.15)
        asked[await group.notify(member, index)] = member

    async with asyncio.TaskGroup() as asking:
        for index in range(40):
            asking.create_task(ask(index, (a, b)[index % 2]))
        await group.bench.receiver.wait_cdr()
        a.process.send(signal.SIGKILL)
        crash = Crash(time.monotonic(), datetime.now(UTC), is_durable=bool(app))
    await group.until(lambda: group.taken_over("a", by="b"), TAKEN_OVER)
    accepted = group.accepted()
    await group.all_told(accepted)

    of_b = {session for session, member in asked.items() if session is not None and member is b}
    assert len(of_b) == 20
    assert of_b < set(accepted)
    assert group.told_once(of_b)
    for session in set(accepted) - of_b:
        told_after_crash(group, session, crash)


@dataclass(frozen=True)
class Crash:
    """The end of the controller that had a call."""

    monotonic: float
    at: datetime
    is_durable: bool

    def is_noted(self, push: Push) -> bool:
        """Whether it certainly had the time to write down that the customer has this."""
        return not self.monotonic - 1 < push.arrived < self.monotonic + 0.1


def told_after_crash(group: Group, session: str, crash: Crash) -> None:
    """What was told just before may be told again, if it must arrive at least once, or never, if at most."""
    receiver = group.bench.receiver
    told: dict[int, list[Push]] = {}
    for number, status in zip(group.numbers(session), receiver.statuses(session), strict=True):
        told.setdefault(number, []).append(status.push)
    cdrs = [push for push in receiver.pushes if session in str(push.json.get("feeLst"))]
    assert list(told) == sorted(told), session
    for first, *again in (*told.values(), cdrs):
        is_repeated = crash.is_durable or first is cdrs[0]
        assert not again or (is_repeated and len(again) == 1 and not crash.is_noted(first)), session
    assert all(record == receiver.cdrs(session)[0] for record in receiver.cdrs(session))
    assert all(push.body == first.body for first, *again in told.values() for push in again)
    if not group.disconnects(session):
        assert not crash.is_durable
        assert crash.at - timedelta(seconds=1) < group.ended_at(session) < crash.at, session


@pytest.mark.requirement("E3")
async def test_E3_given_a_talk_that_another_controller_takes_over_when_it_is_over_then_it_is_one_trace(
    group: Group,
) -> None:
    receiver = group.bench.receiver
    async with Collector.start() as collector:
        traces = TraceSettings(endpoint=collector.endpoint)
        a, _b = await asyncio.gather(group.start("a", traces=traces), group.start("b", traces=traces))
        talks = await group.talking(a)
        first, second = await phones_of(group)
        # What a collector was not sent yet is lost with a controller that is killed.
        told = [status.push for status in receiver.statuses(talks)]
        await collector.until(lambda: collector.has_spans_of(told))
        a.process.send(signal.SIGKILL)
        await group.until(lambda: group.hears_of("b", talks), 2 * TAKEN_OVER)
        await first.hang_up()
        await second.ended()
        await group.all_told([talks])
    spans = collector.one_trace(trace_id(call_of(talks)))
    by = {name: sorted(span.name for its, span in collector.sent if its == name) for name in ("a", "b")}
    assert by == {
        "a": sorted([f"POST {CLICK2CALL}", *(f"push {push.json['eventType']}" for push in told)]),
        "b": sorted(["call callback", "dial a", "dial b", "talk a", "talk b", "push disconnect", "push fee"]),
    }
    times = {span.name: (span.start_time_unix_nano, span.end_time_unix_nano) for span in spans}
    begun, ended = times["talk b"]
    assert ended - begun > CERTAIN * 1e9
    assert times[f"POST {CLICK2CALL}"][0] < times["call callback"][0] < times["dial a"][0] < begun
    assert {parent_of(push)[0] for push in receiver.pushes} == {spans[0].trace_id.hex()}
    assert collector.has_spans_of(receiver.pushes)


async def test_E2_given_a_controller_that_was_paused_when_it_comes_back_then_it_ends_and_its_heir_goes_on(
    group: Group,
) -> None:
    """What talks is not disturbed, and nothing is told by the one that was away."""
    receiver = group.bench.receiver
    a, b = await asyncio.gather(group.start("a"), group.start("b"))
    talks = await group.talking(a)
    sessions = [
        session for index in range(8) if (session := await group.notify(a, index, talk=40, prompt="long.wav"))
    ]
    for session in sessions:
        await receiver.wait_status(session, "answer")
    first, second = await phones_of(group)
    # One of which it has more to tell as soon as it gives up what hangs.
    receiver.plan(Hang(), path="/status")
    hung = await group.notify(a, 8, talk=40, prompt="long.wav")
    assert hung is not None
    await receiver.wait_status(hung, "callout")
    sessions.append(hung)
    with group.paused(a):
        paused = time.monotonic()
        receiver.plan(Reply(), path="/status")

        async def its_calls_are_bs() -> bool:
            return await group.only_talks(talks) and await group.hears_of("b", talks)

        assert await group.until(its_calls_are_bs, 2 * TAKEN_OVER) - paused < TAKEN_OVER
        for session in sessions:
            await receiver.wait_cdr(session)
            await receiver.wait_status(session, "disconnect")
        # It does not know yet that this call is another's, and finds this in its socket.
        stop = asyncio.create_task(group.stop(a, talks))
        await asyncio.sleep(0.5)
        before = len(receiver.pushes)

    assert await a.process.ended() == os.EX_TEMPFAIL
    with pytest.raises(aiohttp.ClientError):
        # Whoever asks again asks another one.
        await stop
    await talk(first, second)
    assert await group.only_talks(talks)
    assert len(receiver.pushes) == before
    later = await group.notify(b, 99)
    assert later is not None
    await second.hang_up()
    ends = await first.ended(), await second.ended()
    await group.all_told([*sessions, talks, later])

    assert [end.by_phone for end in ends] == [False, True]
    assert group.told_once([*sessions, talks, later])
    assert receiver.statuses(talks)[-1].info["stateCode"] == 0
    assert "fwdAnswerTime" in receiver.cdrs(talks)[0]


async def test_E2_given_a_controller_that_is_paused_for_less_than_others_wait_when_back_then_it_goes_on(
    group: Group,
) -> None:
    a, _b = await asyncio.gather(group.start("a", calls=PATIENT), group.start("b", calls=PATIENT))
    talks = await group.talking(a)
    # Some end by themselves meanwhile.
    sessions = [await group.notify(a, index, talk=index // 2 + 1, prompt="long.wav") for index in range(8)]
    first, second = await phones_of(group)
    # Others count from its last sign of life.
    beat = await asyncio.to_thread(group.beat, "a")
    await group.until(lambda: group.has_beaten("a", beat), 5)
    with group.paused(a):
        asked = asyncio.create_task(group.notify(a, 50))
        # It can't know any more that its calls are its own, but they are: nobody gave it up.
        await asyncio.sleep(CERTAIN + 0.3)

    # What was asked for meanwhile may be refused, as it took so long; soon nothing is.
    sessions.append(await asked)
    later: list[str] = []

    async def is_taken() -> bool:
        session = await group.notify(a, 51)
        later.extend([] if session is None else [session])
        return session is not None

    await group.until(is_taken, 5)
    await talk(first, second)
    await first.hang_up()
    ends = await first.ended(), await second.ended()
    told = [*later, talks, *(session for session in sessions if session is not None)]
    for session in told:
        await group.bench.receiver.wait_cdr(session, 20)
    assert group.heir("a") is None
    assert a.process.process.returncode is None
    await group.all_told(told)

    assert [end.by_phone for end in ends] == [True, False]
    assert group.told_once(told)
    assert None not in sessions[:8]
    assert sorted(told) == sorted(group.accepted())
    codes = {session: group.bench.receiver.statuses(session)[-1].info["stateCode"] for session in told}
    assert codes == dict.fromkeys(told, 0)


async def test_E4_given_controllers_under_load_when_restarted_one_after_the_other_then_no_call_is_lost(
    group: Group,
) -> None:
    stop, asked = asyncio.Event(), Counter[bool]()
    members: dict[str, Member] = {}
    sessions: list[str] = []

    async def customer() -> None:
        """Asks one after the other, and the next one if one says no, as a balancer does."""
        index = 0
        while not stop.is_set():
            index += 1
            for member in list(members.values()):
                session = await group.notify(member, index % 900, talk=2)
                if session is not None:
                    sessions.append(session)
                    break
            asked[session is not None] += 1
            await asyncio.sleep(0.1)

    async with AsyncExitStack() as old:
        members |= {"a": await group.start("a", old), "b": await group.start("b", old)}
        load = asyncio.create_task(customer())
        for name in ("a", "b"):
            await asyncio.sleep(1)
            gone = members.pop(name)
            gone.process.send(signal.SIGTERM)
            assert await gone.process.ended() == 0
            members[name] = await group.start(name)
        stop.set()
        await load

    await group.all_told(sessions)
    assert group.told_once(sessions)
    assert asked[False] == 0
    assert sorted(sessions) == sorted(group.accepted())


async def test_E2_given_a_call_at_one_controller_when_stopped_at_another_then_it_ends(group: Group) -> None:
    a, b = await asyncio.gather(group.start("a"), group.start("b"))
    session = await group.call_back(a)
    await group.bench.receiver.wait_status(session, "answer")

    stopped = await group.stop(b, session)
    unknown = await group.stop(b, f"x{session}")
    began = time.monotonic()
    await group.bench.receiver.wait_cdr(session, 10)
    took = time.monotonic() - began
    await group.all_told([session])

    assert stopped == "0"
    assert unknown == "1020152"
    assert took < 8
    assert group.told_once([session])


async def test_E4_given_all_controllers_ended_at_once_when_a_receiver_hangs_then_they_end_and_talks_go_on(
    group: Group,
) -> None:
    """The first to be gone must not be taken over by one that is ending too, and waits for pushes."""
    receiver, calls = group.bench.receiver, group.bench.home.settings.calls
    pushes = group.bench.home.settings.pushes.model_copy(update={"cdr_interval": 1})
    calls = calls.model_copy(update={"drain_timeout": 1})
    a, b = await asyncio.gather(
        group.start("a", calls=calls, pushes=pushes.model_copy(update={"timeout": 0.5})),
        group.start("b", calls=calls, pushes=pushes.model_copy(update={"timeout": 5})),
    )
    talks = await asyncio.gather(
        group.talking(a), group.talking(b, callee(901, talk=90), callee(902, talk=90))
    )
    receiver.plan(Hang())
    hung = await group.notify(b, 1)
    assert hung is not None

    for member in (a, b):
        member.process.send(signal.SIGTERM)
    first = asyncio.create_task(a.process.ended())
    assert await b.process.ended() == 0
    assert first.done() and first.result() == 0
    assert group.heir("a") is None

    receiver.plan(Reply())
    b = await group.start("b", calls=calls, pushes=pushes)
    await group.until(lambda: group.taken_over("a", by="b"), TAKEN_OVER)
    assert [await group.stop(b, session) for session in talks] == ["0", "0"]
    await group.all_told([*talks, hung])
    assert group.told_once(talks)
    assert all(record == receiver.cdrs(hung)[0] for record in receiver.cdrs(hung))

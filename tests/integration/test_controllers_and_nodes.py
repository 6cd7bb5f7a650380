"""Several controllers on one PostgreSQL and two Asterisk nodes: one is killed that has calls on both.

The second node shares no recordings with them.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from integration.controllers import (
    A_TONE,
    B_TONE,
    RINGS,
    TAKEN_OVER,
    Group,
    callee,
    several_controllers,
    talk,
)
from integration.recordings import audio_of, fetched_from
from integration.several_nodes import NOWHERE
from integration.support import CALLED, QUICK, SECOND, StartBench

from testbed.asterisk import AsteriskProgram, running_asterisk
from testbed.listening import tone_share
from testbed.platform import node_settings
from testbed.softphone_plan import Answer, Tone

pytestmark = [pytest.mark.requirement("E2", "E4"), pytest.mark.engine("postgresql")]

PATIENT = QUICK.model_copy(update={"ring_timeout": 60.0})

THIRD, FOURTH = "+8613900003333", "+8613900004444"
"""Talk to each other, as CALLED and SECOND do."""


@pytest.fixture
async def group(bench: StartBench, tmp_path: Path, program: AsteriskProgram) -> AsyncIterator[Group]:
    a, b = Answer(play=Tone(A_TONE)), Answer(play=Tone(B_TONE))
    async with (
        running_asterisk(tmp_path / "node2", program, name="node2") as node2,
        several_controllers(
            bench,
            tmp_path,
            a,
            phones={SECOND: b, THIRD: a, FOURTH: b},
            app={},
            nodes=[node_settings(node2.configuration, recording_dir=NOWHERE)],
        ) as group,
    ):
        yield group


async def test_E2_given_calls_on_two_nodes_when_their_controller_is_killed_then_in_10_s_all_are_anothers(
    group: Group,
) -> None:
    """What talks goes on, what rings is ended."""
    receiver, phones = group.bench.receiver, group.bench.phones
    a, b = await asyncio.gather(group.start("a", calls=PATIENT), group.start("b", calls=PATIENT))
    for member in (a, b):
        await group.until(lambda member=member: group.has_all_nodes(member), TAKEN_OVER)
    talks = [await group.talking(a), await group.talking(a, THIRD, FOURTH)]
    rings = [await group.call_back(a, callee(900 + index, talk=90), RINGS) for index in range(2)]
    for session in rings:
        await group.told(session, "alerting", RINGS)
    for sessions in (talks, rings):
        assert {group.node_of(session) for session in sessions} == {"node1", "node2"}
    pairs = [
        (await phones[caller].next_call(), await phones[called].next_call())
        for caller, called in ((CALLED, SECOND), (THIRD, FOURTH))
    ]

    a.process.send(signal.SIGKILL)
    killed = time.monotonic()

    async def its_calls_are_bs() -> bool:
        return (
            await group.taken_over("a", by="b")
            and await group.only_talks(*talks)
            and all([await group.hears_of("b", session) for session in talks])
        )

    assert await group.until(its_calls_are_bs, 2 * TAKEN_OVER) - killed < TAKEN_OVER
    for session in rings:
        await receiver.wait_cdr(session)
    arrived = [push.arrived - killed for push in receiver.pushes if push.arrived > killed]
    for first, second in pairs:
        await talk(first, second)
        await first.hang_up()
        await second.ended()
    await group.all_told([*talks, *rings])

    assert max(arrived) < TAKEN_OVER
    assert group.told_once([*talks, *rings])
    codes = [receiver.statuses(session)[-1].info["stateCode"] for session in (*talks, *rings)]
    assert codes == [0, 0, 8000, 8000]


@pytest.mark.parametrize("heard", [True, False], ids=["it-hears-them", "it-has-just-taken-over"])
async def test_E2_given_talks_of_a_killed_controller_when_their_heir_is_killed_too_then_the_third_has_them(
    group: Group, heard: bool
) -> None:
    phones = group.bench.phones
    members = dict(zip("abc", await asyncio.gather(*map(group.start, "abc")), strict=True))
    for member in members.values():
        await group.until(lambda member=member: group.has_all_nodes(member), TAKEN_OVER)
    talks = [await group.talking(members["a"]), await group.talking(members["a"], THIRD, FOURTH)]
    assert {group.node_of(session) for session in talks} == {"node1", "node2"}
    pairs = [
        (await phones[caller].next_call(), await phones[called].next_call())
        for caller, called in ((CALLED, SECOND), (THIRD, FOURTH))
    ]

    async def are(name: str) -> bool:
        return await group.only_talks(*talks) and all(
            [await group.hears_of(name, session) for session in talks]
        )

    members["a"].process.send(signal.SIGKILL)
    heir = await group.heir_of("a", 2 * TAKEN_OVER)
    if heard:
        await group.until(lambda: are(heir), TAKEN_OVER)
    members[heir].process.send(signal.SIGKILL)
    killed = time.monotonic()
    [last] = set(members) - {"a", heir}
    since = await group.until(lambda: are(last), 2 * TAKEN_OVER)

    assert since - killed < TAKEN_OVER
    assert await group.taken_over(heir, by=last)
    for first, second in pairs:
        await talk(first, second)
        await first.hang_up()
        await second.ended()
    await group.all_told(talks)
    assert group.told_once(talks)
    assert [group.bench.receiver.statuses(session)[-1].info["stateCode"] for session in talks] == [0, 0]


@pytest.mark.requirement("A1.5")
async def test_E2_given_recorded_talks_when_their_controller_is_killed_then_the_heir_has_them_whole(
    group: Group,
) -> None:
    receiver, phones = group.bench.receiver, group.bench.phones
    a, b = await asyncio.gather(group.start("a"), group.start("b"))
    for member in (a, b):
        await group.until(lambda member=member: group.has_all_nodes(member), TAKEN_OVER)
    talks = [
        await group.talking(a, recordFlag="true"),
        await group.talking(a, THIRD, FOURTH, recordFlag="true"),
    ]
    talking = time.monotonic()
    assert {group.node_of(session) for session in talks} == {"node1", "node2"}
    callers = [await phones[caller].next_call() for caller in (CALLED, THIRD)]

    a.process.send(signal.SIGKILL)

    async def its_calls_are_bs() -> bool:
        return await group.taken_over("a", by="b") and all(
            [await group.hears_of("b", session) for session in talks]
        )

    await group.until(its_calls_are_bs, 2 * TAKEN_OVER)
    for caller in callers:
        await caller.hang_up()
    talked = time.monotonic() - talking
    for session in talks:
        cdr = await receiver.wait_cdr(session)
        _link, file = await fetched_from(b.process.url, cdr["recordObjectName"])
        recording = audio_of(file)
        assert recording.seconds > talked - 1, group.node_of(session)
        for tone in (A_TONE, B_TONE):
            assert tone_share(recording, tone, 0.5, talked - 1) > 0.25, (group.node_of(session), tone)
    await group.all_told(talks)

"""How callbacks end: by B, by A at each stage, by the trunk, by the platform. Nobody listens here."""

import asyncio
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import repeat
from typing import Any

import pytest
from integration.support import CALLED, QUICK, SECOND, Bench, StartBench, declaration, trunk

from controller.asterisk.ami import ami_session
from testbed.push_receiver import StatusPush
from testbed.softphone_plan import Answer, EarlyMedia, Plan, Reject, RingOnly, Silent, Tone

PATIENT = {"calls": QUICK.model_copy(update={"ring_timeout": 10.0})}
NETWORK = Tone(1100)

Codes = tuple[int, int, int, int]
"""stateCode, ulFailReason, sipStatusCode, Q.850 of the leg that failed."""

B_THAT: dict[str, tuple[Plan, Codes]] = {
    "is busy": (Reject(486), (8102, 518, 486, 17)),
    "is busy after ringing": (Reject(486, ring=True, after=0.2), (8102, 518, 486, 17)),
    "is busy everywhere": (Reject(600), (8102, 518, 600, 17)),
    "rejects": (Reject(603, ring=True, after=0.2), (8105, 518, 603, 21)),
    "is forbidden": (Reject(403), (8105, 518, 403, 21)),
    "does not exist": (Reject(404), (8100, 518, 404, 1)),
    "does not exist, as an announcement says": (
        EarlyMedia(NETWORK, Reject(404), seconds=0.3),
        (8100, 518, 404, 1),
    ),
    "is incomplete": (Reject(484), (8100, 518, 484, 28)),
    "has moved": (Reject(410), (8100, 518, 410, 22)),
    "did not answer, says the network": (Reject(480, ring=True, after=0.2), (8101, 514, 480, 19)),
    "did not answer, as an announcement says": (
        EarlyMedia(NETWORK, Reject(480), seconds=0.3),
        (8101, 514, 480, 19),
    ),
    "did not answer in the network's time": (Reject(408, ring=True, after=0.2), (8101, 514, 408, 19)),
    "fails": (Reject(500), (8001, 518, 500, 38)),
    "has no circuit": (Reject(503), (8001, 518, 503, 34)),
    "rings too long": (RingOnly(), (8003, 514, 480, 19)),
    "rings too long with 183 alone": (EarlyMedia(NETWORK), (8003, 514, 480, 19)),
    "is silent": (Silent(), (8001, 513, 408, 19)),
}


async def one_after_another(
    b: Bench, names: Iterable[str], *requests: Mapping[str, str]
) -> dict[str, tuple[list[StatusPush], dict[str, Any]]]:
    """A callback for each name, each begun when the one before is over; what is told of each."""
    sessions = {}
    for name, fields in zip(names, requests or repeat({}), strict=False):
        sessions[name] = await b.call_back(partyTypeRequiredInDisconnect="true", **fields)
        await b.receiver.wait_status(sessions[name], "disconnect")
    return {name: await b.over(session) for name, session in sessions.items()}


def codes_of_b(statuses: list[Any], cdr: dict[str, Any]) -> Codes:
    return (
        statuses[-1].info["stateCode"],
        cdr["ulFailReason"],
        cdr["sipStatusCode"],
        cdr["fwdUnaswRsn"],
    )


@pytest.mark.requirement("A1.1", "B1", "B2")
async def test_A1_1_given_a_b_that_does_not_come_about_when_called_then_push_and_cdr_say_why(
    bench: StartBench,
) -> None:
    b = await bench(Answer(record=False), phones={SECOND: [plan for plan, _codes in B_THAT.values()]})

    found = {}
    for name, (statuses, cdr) in (await one_after_another(b, B_THAT)).items():
        found[name] = codes_of_b(statuses, cdr)
        assert statuses[-1].info["called"] == CALLED, name
        assert ("callOutAnswerTime" in cdr, "fwdAnswerTime" in cdr) == (True, False), name
        assert (cdr["callOutUnaswRsn"], cdr["failTime"]) == (0, cdr["callEndTime"]), name

    assert found == {name: codes for name, (_plan, codes) in B_THAT.items()}
    assert await b.controller.node.ari.channels.list() == []
    assert await b.controller.node.ari.bridges.list() == []


A_THAT: dict[str, tuple[Plan, Codes]] = {
    "is busy": (Reject(486), (8102, 519, 486, 17)),
    "rejects": (Reject(603), (8105, 519, 603, 21)),
    "does not exist": (Reject(404), (8100, 519, 404, 1)),
    "has no circuit": (Reject(503), (8001, 519, 503, 34)),
    "rings too long": (RingOnly(), (8003, 514, 480, 19)),
}


@pytest.mark.requirement("A1.1", "B1", "B2")
async def test_A1_1_given_an_a_that_does_not_come_about_when_called_then_b_is_never_dialled(
    bench: StartBench,
) -> None:
    b = await bench([plan for plan, _codes in A_THAT.values()], phones={SECOND: Answer(record=False)})

    found = {}
    for name, (statuses, cdr) in (await one_after_another(b, A_THAT)).items():
        found[name] = (
            statuses[-1].info["stateCode"],
            cdr["ulFailReason"],
            cdr["sipStatusCode"],
            cdr["callOutUnaswRsn"],
        )
        assert (cdr["fwdUnaswRsn"], "fwdStartTime" in cdr) == (0, False), name

    assert found == {name: codes for name, (_plan, codes) in A_THAT.items()}
    assert b.phones[SECOND].calls == []


@pytest.mark.requirement("A1.1", "B1")
async def test_A1_1_given_party_type_is_asked_for_when_a_call_ends_then_the_push_names_who_ended_it(
    bench: StartBench,
) -> None:
    quick = Answer(record=False, hang_up_after=0.3)
    b = await bench(
        [Answer(record=False), quick, Answer(record=False), quick],
        phones={SECOND: [quick, Answer(record=False), Answer(record=False), Answer(record=False)]},
    )

    parties = []
    for stopped in (False, False, True):
        session = await b.call_back(partyTypeRequiredInDisconnect="true")
        if stopped:
            await b.b_answered(session)
            assert (await b.stop(session)).code == "0"
        statuses, _cdr = await b.over(session)
        parties.append(statuses[-1].info["partyType"])
        assert not any("partyType" in status.info for status in statuses[:-1])
    not_asked, _cdr = await b.over(await b.call_back())

    assert parties == ["callee", "caller", "platform"]
    assert "partyType" not in not_asked[-1].info


@pytest.mark.requirement("A1.1")
async def test_A1_1_given_a_gives_up_when_b_has_come_so_far_then_8009_and_the_stage_is_told(
    bench: StartBench,
) -> None:
    stages: dict[str, tuple[Plan, dict[str, str], int]] = {
        "before B rings": (Silent(), {}, 553),
        "while B rings": (RingOnly(), {}, 552),
        "while B's network plays": (EarlyMedia(NETWORK), {}, 552),
        "during the transfer prompt": (Answer(), {"playPreVoice": "true", "preVoice": "long.wav"}, 530),
    }
    b = await bench(
        Answer(record=False, hang_up_after=0.5),
        phones={SECOND: [plan for plan, _fields, _cut in stages.values()]},
        sections=PATIENT,
    )

    over = await one_after_another(b, stages, *(fields for _plan, fields, _cut in stages.values()))
    for name, (_plan, _fields, cut_point) in stages.items():
        statuses, cdr = over[name]
        told = (statuses[-1].info["stateCode"], statuses[-1].info["partyType"], cdr["ulFailReason"])
        assert told == (8009, "caller", cut_point), name
        assert (cdr["sipStatusCode"], cdr["callOutUnaswRsn"], cdr["fwdUnaswRsn"]) == (487, 16, 0), name
        assert "callOutAnswerTime" in cdr, name
        assert ("fwdStartTime" in cdr) == (cut_point != 530), name


@pytest.mark.requirement("A1.1")
async def test_A1_1_given_a_hangs_up_as_soon_as_it_has_answered_when_b_is_to_be_dialled_then_8009(
    bench: StartBench,
) -> None:
    b = await bench(Answer(record=False, hang_up_after=0.0), phones={SECOND: RingOnly()}, sections=PATIENT)

    for statuses, cdr in (await one_after_another(b, "123")).values():
        assert statuses[-1].info["stateCode"] == 8009
        assert cdr["ulFailReason"] in (530, 553, 552)
    assert await b.controller.node.ari.channels.list() == []
    assert await b.controller.node.ari.bridges.list() == []


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A UDP port of this machine behind which nobody answers."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def use_trunk(b: Bench, port: int) -> None:
    """Have what is not a phone of the bench go over a trunk to this port."""
    await b.home.declare(declaration(b.phones) + trunk(port, "+86137"))
    await b.controller.directory.refresh()


@pytest.mark.requirement("A1.1", "A2.1", "E1")
async def test_A1_1_given_a_trunk_that_says_nothing_when_called_then_8001_and_408_on_either_leg(
    bench: StartBench, dead_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that it is this that ends the call, and not the time for ringing.
    monkeypatch.setattr("controller.calls.line._LONGEST_SILENCE", 1.0)
    b = await bench(Answer(record=False), sections=PATIENT)
    await use_trunk(b, dead_port)
    number = "+8613755556666"

    over = [
        await b.over(await b.notify(callee=number)),
        await b.over(await b.call_back(calleeNbr=number)),
    ]

    for leg, (statuses, cdr) in zip(("callOutUnaswRsn", "fwdUnaswRsn"), over, strict=True):
        assert statuses[-1].info["stateCode"] == 8001
        assert (cdr["ulFailReason"], cdr["sipStatusCode"], cdr[leg]) == (513, 408, 19)


@pytest.mark.requirement("A1.1", "A2.1", "E1")
async def test_A1_1_given_a_trunk_that_refuses_when_called_then_8001_and_its_status_on_either_leg(
    bench: StartBench,
) -> None:
    carrier = "+861370"
    b = await bench(Answer(record=False), phones={carrier: Reject(503)})
    await use_trunk(b, int(b.phones[carrier].contact.rsplit(":", 1)[1]))
    number = "+8613755556666"

    _statuses, of_a = await b.over(await b.notify(callee=number))
    statuses, of_b = await b.over(await b.call_back(calleeNbr=number))

    assert statuses[-1].info["stateCode"] == 8001
    assert (of_a["ulFailReason"], of_a["sipStatusCode"], of_a["callOutUnaswRsn"]) == (519, 503, 34)
    assert (of_b["ulFailReason"], of_b["sipStatusCode"], of_b["fwdUnaswRsn"]) == (518, 503, 34)


@pytest.mark.requirement("A1.1", "A2.1", "E1")
async def test_A1_1_given_a_trunk_that_is_known_to_be_down_when_called_then_8001_and_38_on_either_leg(
    bench: StartBench, dead_port: int
) -> None:
    b = await bench(Answer(record=False))
    await use_trunk(b, dead_port)
    number = "+8613755556666"
    async with asyncio.timeout(10), ami_session(b.home.settings.asterisk) as ami:
        await ami.action({"Action": "PJSIPQualify", "Endpoint": "carrier-a"})
        while not any("Unavail" in line for line in await ami.command("pjsip show contacts")):  # noqa: ASYNC110
            await asyncio.sleep(0.1)

    _statuses, of_a = await b.over(await b.notify(callee=number))
    statuses, of_b = await b.over(await b.call_back(calleeNbr=number))

    assert statuses[-1].info["stateCode"] == 8001
    assert (of_a["ulFailReason"], of_a["sipStatusCode"], of_a["callOutUnaswRsn"]) == (519, 0, 38)
    assert (of_b["ulFailReason"], of_b["sipStatusCode"], of_b["fwdUnaswRsn"]) == (518, 0, 38)

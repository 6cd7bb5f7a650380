"""How calls end, as the far end sees to it: the codes that the customer is told."""

import os
import stat
from dataclasses import dataclass

import pytest
from integration.support import StartBench

from testbed.softphone_plan import Answer, EarlyMedia, Plan, Reject, RingOnly, Silent, Tone


@dataclass(frozen=True)
class Expected:
    """What disconnect push and CDR say; section 7.5 of the wire API document."""

    state_code: int
    cut_point: int
    sip_status: int
    cause: int


CASES: dict[str, tuple[Plan, Expected]] = {
    "busy": (Reject(486), Expected(8102, 519, 486, 17)),
    "busy_everywhere": (Reject(600), Expected(8102, 519, 600, 17)),
    "rejects": (Reject(603), Expected(8105, 519, 603, 21)),
    "forbidden": (Reject(403), Expected(8105, 519, 403, 21)),
    "does_not_exist": (Reject(404), Expected(8100, 519, 404, 1)),
    "number_incomplete": (Reject(484), Expected(8100, 519, 484, 28)),
    "does_not_answer": (Reject(480, ring=True, after=0.2), Expected(8101, 514, 480, 19)),
    "does_not_answer_in_the_networks_time": (
        Reject(408, ring=True, after=0.2),
        Expected(8101, 514, 408, 19),
    ),
    "does_not_answer_as_an_announcement_says": (
        EarlyMedia(Tone(1100), Reject(480), seconds=0.3),
        Expected(8101, 514, 480, 19),
    ),
    "carrier_fails": (Reject(500), Expected(8001, 519, 500, 38)),
    "no_circuit": (Reject(503), Expected(8001, 519, 503, 34)),
    "rings_too_long": (RingOnly(), Expected(8003, 514, 480, 19)),
    "is_silent": (Silent(), Expected(8001, 513, 408, 19)),
}


@pytest.mark.requirement("A2.1", "B1", "B2")
async def test_A2_1_given_a_callee_that_does_not_come_about_when_called_then_push_and_cdr_say_why(
    bench: StartBench,
) -> None:
    b = await bench([plan for plan, _expected in CASES.values()])

    sessions = {}
    for name in CASES:
        sessions[name] = await b.notify()
        await b.receiver.wait_status(sessions[name], "disconnect")

    found = {}
    for name, session in sessions.items():
        statuses, cdr = await b.over(session)
        code = statuses[-1].info["stateCode"]
        found[name] = Expected(code, cdr["ulFailReason"], cdr["sipStatusCode"], cdr["callOutUnaswRsn"])
        assert "callOutAnswerTime" not in cdr, name
        assert cdr["failTime"] == cdr["callEndTime"], name
        assert "answer" not in [status.event_type for status in statuses], name
    assert found == {name: expected for name, (_plan, expected) in CASES.items()}


@pytest.mark.requirement("A2.4")
async def test_A2_4_given_a_callee_who_hangs_up_during_the_prompt_then_it_is_a_normal_end(
    bench: StartBench,
) -> None:
    b = await bench(Answer(hang_up_after=0.5))

    session = await b.notify({"notifyVoice": "long.wav"})
    statuses, cdr = await b.over(session)

    assert statuses[-1].info["stateCode"] == 0
    assert cdr["ulFailReason"] == 0
    assert "callOutAnswerTime" in cdr


@pytest.mark.requirement("A2.1")
async def test_A2_1_given_a_prompt_that_nobody_can_read_when_it_is_played_then_the_call_ends_with_8007(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    for prompt in b.home.settings.prompt_dir.rglob("*.alaw"):
        prompt.unlink()
        # Nobody can open a socket as a file, not even root, who may read everything.
        os.mknod(prompt, stat.S_IFSOCK | 0o644)

    session = await b.notify()
    statuses, cdr = await b.over(session)

    assert statuses[-1].info["stateCode"] == 8007
    assert cdr["ulFailReason"] == 8007


@pytest.mark.requirement("A2.1")
async def test_A2_1_given_a_prompt_that_vanished_from_disk_when_it_is_played_then_the_call_ends_with_8006(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    for prompt in b.home.settings.prompt_dir.rglob("*.alaw"):
        prompt.unlink()

    session = await b.notify()
    statuses, cdr = await b.over(session)

    assert statuses[-1].info["stateCode"] == 8006
    assert cdr["ulFailReason"] == 524

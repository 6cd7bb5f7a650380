"""How calls end, as the far end sees to it: the codes that the customer is told."""

from dataclasses import dataclass

import pytest
from integration.support import StartBench

from testbed.softphone_plan import Answer, Plan, Reject, RingOnly, Silent


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
    "carrier_fails": (Reject(500), Expected(8001, 519, 500, 38)),
    "no_circuit": (Reject(503), Expected(8001, 519, 503, 34)),
    "rings_too_long": (RingOnly(), Expected(8003, 514, 480, 19)),
    "is_silent": (Silent(), Expected(8001, 513, 408, 19)),
}


@pytest.mark.requirement("A2.1", "B1", "B2")
@pytest.mark.parametrize("case", CASES)
async def test_A2_1_given_a_callee_that(bench: StartBench, case: str) -> None:
    plan, expected = CASES[case]
    b = await bench(plan)

    session = await b.notify()
    statuses, cdr = await b.over(session)

    told = statuses[-1].info
    assert told["stateCode"] == expected.state_code
    found = Expected(told["stateCode"], cdr["ulFailReason"], cdr["sipStatusCode"], cdr["callOutUnaswRsn"])
    assert found == expected
    assert "callOutAnswerTime" not in cdr
    assert cdr["failTime"] == cdr["callEndTime"]
    assert "answer" not in [status.event_type for status in statuses]


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
async def test_A2_1_given_a_prompt_that_vanished_from_disk_when_it_is_played_then_the_call_ends_with_8007(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    for prompt in b.home.settings.prompt_dir.rglob("*.alaw"):
        prompt.unlink()

    session = await b.notify()
    statuses, cdr = await b.over(session)

    assert statuses[-1].info["stateCode"] == 8007
    assert cdr["ulFailReason"] == 8007

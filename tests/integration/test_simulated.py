"""Simulated callees: calls through the whole product, on a real Asterisk, without a phone."""

import asyncio
from dataclasses import dataclass

import pytest
from integration.support import QUICK, StartBench

from controller.settings import DiallingSettings
from testbed.listening import load_wav, tone_stretches
from testbed.softphone_plan import Answer

PATIENT = QUICK.model_copy(
    update={"ring_timeout": 10.0, "first_digit_timeout": 3.0, "inter_digit_timeout": 3.0}
)
"""Long enough for keys that are pressed a second apart."""

SIMULATED = QUICK.simulated_prefix


@dataclass(frozen=True)
class Expected:
    """What disconnect push and CDR say; section 7.5 of the wire API document."""

    state_code: int
    cut_point: int
    sip_status: int
    cause: int
    events: tuple[str, ...] = ("callout", "alerting", "disconnect")


AT_ONCE = ("callout", "disconnect")

CASES: dict[str, Expected] = {
    "017 01 000": Expected(8102, 519, 486, 17),
    "017 00 000": Expected(8102, 519, 486, 17, AT_ONCE),
    "021 01 000": Expected(8105, 519, 603, 21),
    "001 00 000": Expected(8100, 519, 404, 1, AT_ONCE),
    "001 01 001": Expected(8100, 519, 404, 1),
    "003 00 000": Expected(8100, 519, 404, 3, AT_ONCE),
    "022 00 000": Expected(8100, 519, 410, 22, AT_ONCE),
    "028 00 000": Expected(8100, 519, 484, 28, AT_ONCE),
    "018 00 000": Expected(8103, 519, 480, 18, AT_ONCE),
    "020 00 000": Expected(8103, 519, 480, 20, AT_ONCE),
    "027 00 000": Expected(8103, 519, 502, 27, AT_ONCE),
    "019 01 000": Expected(8101, 514, 480, 19),
    "019 99 000": Expected(8003, 514, 480, 19),
    "019 99 002": Expected(8001, 513, 408, 19, AT_ONCE),
    "034 00 000": Expected(8001, 519, 503, 34, AT_ONCE),
    "038 00 000": Expected(8001, 519, 500, 38, AT_ONCE),
    "041 00 000": Expected(8001, 519, 500, 41, AT_ONCE),
    "042 00 000": Expected(8001, 519, 503, 42, AT_ONCE),
}
"""What the number says behind the prefix: as in docs/reference/simulated-numbers.md."""


def number(description: str) -> str:
    return SIMULATED + description.replace(" ", "")


@pytest.mark.requirement("A2.1", "B1", "B2")
async def test_A2_1_given_a_number_for_every_outcome_when_all_are_called_at_once_then_each_ends_as_it_says(
    bench: StartBench,
) -> None:
    b = await bench(app={"max_calls": len(CASES)})

    sessions = {case: await b.notify(callee=number(case)) for case in CASES}
    ends = {case: await b.over(session) for case, session in sessions.items()}

    found = {
        case: Expected(
            statuses[-1].info["stateCode"],
            cdr["ulFailReason"],
            cdr["sipStatusCode"],
            cdr["callOutUnaswRsn"],
            tuple(status.event_type for status in statuses),
        )
        for case, (statuses, cdr) in ends.items()
    }
    assert found == CASES
    assert all("callOutAnswerTime" not in cdr for _statuses, cdr in ends.values())


@pytest.mark.requirement("A2.2")
async def test_A2_2_given_a_simulated_callee_who_presses_keys_when_collecting_then_they_are_pushed(
    bench: StartBench,
) -> None:
    b = await bench(sections={"calls": PATIENT})

    session = await b.notify({"notifyVoice": "long.wav", "collectInd": 4}, callee=number("016 01 120 1234"))
    statuses, cdr = await b.over(session)

    assert [status.event_type for status in statuses] == [
        "callout",
        "alerting",
        "answer",
        "collectInfo",
        "disconnect",
    ]
    assert statuses[3].info["digitInfo"] == "1234"
    assert cdr["ulFailReason"] == 0


@pytest.mark.requirement("A2.2")
async def test_A2_2_given_a_simulated_callee_who_presses_nothing_when_collecting_then_8008(
    bench: StartBench,
) -> None:
    b = await bench()

    session = await b.notify({"notifyVoice": "one.wav", "collectInd": 1}, callee=number("016 00 000"))
    statuses, cdr = await b.over(session)

    assert (statuses[-1].info["stateCode"], cdr["ulFailReason"]) == (8008, 100)


@pytest.mark.requirement("A2.4")
async def test_A2_4_given_a_simulated_callee_who_talks_a_second_when_the_prompt_is_longer_then_it_hangs_up(
    bench: StartBench,
) -> None:
    b = await bench()

    session = await b.notify({"notifyVoice": "long.wav"}, callee=number("016 00 001"))
    answered = await b.receiver.wait_status(session, "answer", 10)
    statuses, cdr = await b.over(session)

    assert 0.3 < statuses[-1].push.arrived - answered.push.arrived < 5
    assert statuses[-1].info["stateCode"] == 0
    assert cdr["ulFailReason"] == 0


@pytest.mark.requirement("A2.4")
async def test_A2_4_given_a_simulated_callee_who_stays_when_the_prompt_is_over_then_the_platform_hangs_up(
    bench: StartBench,
) -> None:
    b = await bench()

    session = await b.notify(callee=number("016 00 000"))
    _statuses, cdr = await b.over(session)

    assert cdr["ulFailReason"] == 0
    assert "callOutAnswerTime" in cdr
    assert await b.controller.node.ari.channels.list() == []


@pytest.mark.requirement("A4.1")
async def test_A4_1_given_ten_simulated_callees_at_once_when_called_then_each_does_what_its_number_says(
    bench: StartBench,
) -> None:
    b = await bench(sections={"calls": PATIENT}, app={"max_calls": 10})
    keys = [f"016 00 030 {index}{9 - index}" for index in range(5)]
    busy = [f"017 01 000 {index}" for index in range(5)]

    sessions = await asyncio.gather(
        *(
            b.notify({"notifyVoice": "long.wav", "collectInd": 2}, callee=number(description))
            for description in (*keys, *busy)
        )
    )
    ends = await asyncio.gather(*(b.over(session, 30) for session in sessions))

    assert [statuses[-1].info["stateCode"] for statuses, _cdr in ends] == [0] * 5 + [8102] * 5
    pressed = [status.info.get("digitInfo") for statuses, _cdr in ends[:5] for status in statuses]
    assert [digits for digits in pressed if digits] == ["09", "18", "27", "36", "45"]


@pytest.mark.requirement("A4.5")
async def test_A4_5_given_a_malformed_simulated_number_when_called_then_it_is_refused(
    bench: StartBench,
) -> None:
    b = await bench()

    answer = await b.client.notify(b.request(callee=number("128 00 000")))

    assert answer.code == "1010002"
    assert "calleeNbr" in answer.description


@pytest.mark.requirement("A2.1")
async def test_A2_1_given_another_prefix_when_called_then_its_numbers_are_simulated_and_the_former_are_not(
    bench: StartBench,
) -> None:
    another = QUICK.model_copy(update={"simulated_prefix": "+88300"})
    b = await bench(sections={"calls": another, "dialling": DiallingSettings(allowed=["+999."])})

    session = await b.notify(callee="+8830001701000")
    statuses, _cdr = await b.over(session)
    former = await b.client.notify(b.request(callee=number("017 01 000")))

    assert statuses[-1].info["stateCode"] == 8102
    assert former.description == "Invalid request.calleeNbr can't be reached from here"


@pytest.mark.requirement("A2.1", "E1")
async def test_A2_1_given_no_prefix_when_such_a_number_is_called_then_it_goes_where_the_routes_lead(
    bench: StartBench,
) -> None:
    none = QUICK.model_copy(update={"simulated_prefix": ""})
    b = await bench(
        phones={"+999": Answer()},
        sections={"calls": none, "dialling": DiallingSettings(allowed=["+999."])},
    )

    session = await b.notify(callee=number("017 01 000"))
    call = await b.phones["+999"].next_call()
    statuses, _cdr = await b.over(session)

    assert call.called == number("017 01 000")
    assert statuses[-1].info["stateCode"] == 0


@pytest.mark.requirement("A1.1")
async def test_A1_1_given_a_simulated_callee_as_b_when_called_back_then_a_hears_its_tone_until_it_hangs_up(
    bench: StartBench,
) -> None:
    b = await bench(Answer())

    session = await b.call_back(calleeNbr=number("016 01 004"))
    call = await b.phone.next_call()
    heard = load_wav(await call.recorded())
    statuses, cdr = await b.over(session)

    assert len(tone_stretches(heard, 523)) == 2
    assert statuses[-1].info["stateCode"] == 0
    assert cdr["fwdDstNum"] == number("016 01 004")


@pytest.mark.requirement("A1.3")
@pytest.mark.parametrize(("callee_media", "heard_at_all"), [("all", True), ("fail", True), ("none", False)])
async def test_A1_3_given_a_simulated_announcement_as_b_when_called_back_then_a_hears_it_unless_nothing_of_b(
    bench: StartBench, callee_media: str, heard_at_all: bool
) -> None:
    b = await bench(Answer(), sections={"calls": PATIENT})

    session = await b.call_back(calleeNbr=number("001 03 001"), calleeMedia=callee_media)
    heard = load_wav(await (await b.phone.next_call()).recorded())
    statuses, cdr = await b.over(session)

    tones = [sum(its.seconds for its in tone_stretches(heard, hertz)) for hertz in (950, 1400, 1800)]
    # A third of a second each, then a pause of one; 'fail' needs a moment to tell them from ringback.
    assert all(0.3 < seconds < 1.0 for seconds in tones) if heard_at_all else tones == [0, 0, 0]
    assert statuses[-1].info["stateCode"] == 8100
    assert (cdr["ulFailReason"], cdr["sipStatusCode"], cdr["fwdUnaswRsn"]) == (518, 404, 1)


@pytest.mark.requirement("A1.1")
async def test_A1_1_given_simulated_callees_on_both_sides_when_called_back_then_no_phone_is_needed(
    bench: StartBench,
) -> None:
    b = await bench()

    session = await b.call_back(callerNbr=number("016 00 000"), calleeNbr=number("016 00 001"))
    statuses, _cdr = await b.over(session)

    assert statuses[-1].info["stateCode"] == 0
    assert await b.controller.node.ari.channels.list() == []


_AT_A_TIME = 9
"""Callbacks: the shipped limit of an app is 10."""


@pytest.mark.requirement("A1.1", "B1", "B2")
async def test_A1_1_given_a_number_for_every_outcome_as_b_when_called_back_then_each_ends_as_it_says(
    bench: StartBench,
) -> None:
    b = await bench()
    found: dict[str, tuple[int, int, int, int]] = {}

    for begin in range(0, len(CASES), _AT_A_TIME):
        wave = list(CASES)[begin : begin + _AT_A_TIME]
        sessions = [
            await b.call_back(callerNbr=number("016 00 000"), calleeNbr=number(case)) for case in wave
        ]
        for case, session in zip(wave, sessions, strict=True):
            statuses, cdr = await b.over(session)
            codes = cdr["ulFailReason"], cdr["sipStatusCode"], cdr["fwdUnaswRsn"]
            found[case] = statuses[-1].info["stateCode"], *codes

    assert found == {
        case: (its.state_code, 518 if its.cut_point == 519 else its.cut_point, its.sip_status, its.cause)
        for case, its in CASES.items()
    }


GIVES_UP: dict[str, tuple[str, str, int, dict[str, str]]] = {
    "before B is called": ("016 00 001", "016 00 000", 530, {"playPreVoice": "true", "preVoice": "long.wav"}),
    "before B rings": ("016 00 001", "019 99 002", 553, {}),
    "while B rings": ("016 00 001", "019 99 000", 552, {}),
}
"""What A's and B's numbers say, and the ulFailReason."""


@pytest.mark.requirement("A1.1")
async def test_A1_1_given_a_simulated_a_that_hangs_up_when_b_has_not_answered_then_each_stage_has_its_number(
    bench: StartBench,
) -> None:
    b = await bench(sections={"calls": PATIENT})

    sessions = {
        stage: await b.call_back(callerNbr=number(a), calleeNbr=number(callee), **fields)
        for stage, (a, callee, _cut_point, fields) in GIVES_UP.items()
    }

    for stage, session in sessions.items():
        statuses, cdr = await b.over(session)
        codes = statuses[-1].info["stateCode"], cdr["ulFailReason"], cdr["sipStatusCode"]
        assert codes == (8009, GIVES_UP[stage][2], 487), stage

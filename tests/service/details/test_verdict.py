"""How a call went, in a sentence: for every end that there is."""

from collections.abc import Sequence

import pytest
from service.details.stories import Happening, callback, details_of, lived, told
from service.details.support import Desk

from controller.calls import outcome as ends
from controller.calls.outcome import Outcome, failed_leg
from controller.calls.timeline import Kind
from controller.details import words

pytestmark = pytest.mark.requirement("B4")

CALLED: Happening = (0.1, Kind.CALLOUT, "a", {"trunk": "carrier-a"})
RINGS: Happening = (3.1, Kind.ALERTING, "a", None)
ANSWERS: Happening = (8.1, Kind.ANSWER, "a", None)
HEARS: Happening = (8.2, Kind.PROMPT, "a", {"prompt": "one.wav", "collects": 4})
B_CALLED: Happening = (9.0, Kind.CALLOUT, "b", None)
B_RINGS: Happening = (10.0, Kind.ALERTING, "b", None)
B_ANSWERS: Happening = (14.0, Kind.ANSWER, "b", None)
FAILOVER: Happening = (
    0.5,
    Kind.FAILOVER,
    "a",
    {"trunk": "carrier-b", "failed": {"trunk": "carrier-a", "sip_status": 503, "cause": 34}},
)

ONE_LEG: list[tuple[Sequence[Happening], Outcome, float, str]] = [
    (
        [CALLED, RINGS, ANSWERS, HEARS, (10.0, Kind.COLLECTED, "a", {"digits": "12"})],
        ends.NORMAL,
        12.1,
        "The callee answered after 5.0 s of ringing, heard 1 prompt, pressed 2 keys and stayed for 4.0 s; "
        "the platform ended it.",
    ),
    (
        [CALLED, ANSWERS],
        ends.NORMAL.on_leg("a"),
        208.1,
        "The callee answered and stayed for 3 min 20 s; the callee hung up.",
    ),
    (
        [CALLED, RINGS],
        failed_leg("a", 17, 486),
        6.1,
        "The callee was busy: rang 3.0 s, the carrier sent 486 (Busy Here), Q.850 17 (user busy), "
        "over carrier-a.",
    ),
    (
        [CALLED, FAILOVER],
        failed_leg("a", 21, 603),
        2.0,
        "The callee rejected the call: never rang, the carrier sent 603 (Decline), "
        "Q.850 21 (call rejected), over carrier-b.",
    ),
    (
        [CALLED],
        failed_leg("a", 1, 404),
        2.0,
        "The callee has a number that does not exist or can't be reached: never rang, "
        "the carrier sent 404 (Not Found), Q.850 1 (unallocated number), over carrier-a.",
    ),
    (
        [CALLED],
        failed_leg("a", 34, 503),
        2.0,
        "The line or the carrier failed at the callee: never rang, "
        "the carrier sent 503 (Service Unavailable), Q.850 34 (no circuit available), over carrier-a.",
    ),
    (
        [CALLED],
        ends.CALL_TIMEOUT.on_leg("a", 408, 19),
        31.1,
        "The line or the carrier failed at the callee: never rang, the carrier said nothing, over carrier-a.",
    ),
    ([CALLED, RINGS], ends.RING_TIMEOUT.on_leg("a", 480, 19), 63.1, "The callee did not answer: rang 60 s."),
    (
        [CALLED, RINGS, ANSWERS, HEARS],
        ends.NO_DIGITS,
        15.1,
        "The callee pressed no key in time: 7.0 s after the callee answered.",
    ),
    (
        [],
        ends.SPEECH_FAILED,
        2.0,
        "What was to be said could not be synthesised, so nobody was called.",
    ),
    (
        [CALLED, RINGS],
        ends.STOPPED,
        5.1,
        "The call was ended by request: rang 2.0 s.",
    ),
]


@pytest.mark.parametrize(("happenings", "outcome", "end", "sentence"), ONE_LEG)
async def test_B4_given_how_a_call_to_one_phone_went_when_told_then_the_sentence_says_it(
    calls: Desk, happenings: Sequence[Happening], outcome: Outcome, end: float, sentence: str
) -> None:
    assert (await told(calls, happenings, outcome, end)).verdict == sentence


TWO_LEGS: list[tuple[Sequence[Happening], Outcome, float, str]] = [
    (
        [CALLED, RINGS, ANSWERS, B_CALLED, B_RINGS, B_ANSWERS],
        ends.NORMAL.on_leg("a"),
        76.0,
        "B answered after 4.0 s of ringing, both talked for 62 s; A hung up.",
    ),
    (
        [CALLED, RINGS, ANSWERS, B_CALLED, B_RINGS],
        failed_leg("b", 19, 480, second_leg=True),
        55.0,
        "B did not answer: rang 45 s, the carrier sent 480 (Temporarily Unavailable), "
        "Q.850 19 (no answer from the user).",
    ),
    (
        [CALLED, RINGS, ANSWERS, B_CALLED, B_RINGS],
        ends.CALLER_GAVE_UP_RINGING,
        15.1,
        "A hung up before B answered: 7.0 s after A answered.",
    ),
    (
        [CALLED, RINGS, ANSWERS, B_CALLED, B_RINGS, B_ANSWERS],
        ends.MAX_DURATION,
        74.0,
        "The maximum duration was over: 66 s after A answered.",
    ),
]


@pytest.mark.parametrize(("happenings", "outcome", "end", "sentence"), TWO_LEGS)
async def test_B4_given_how_a_callback_went_when_told_then_the_sentence_says_it(
    calls: Desk, happenings: Sequence[Happening], outcome: Outcome, end: float, sentence: str
) -> None:
    assert (await told(calls, happenings, outcome, end, plan=callback())).verdict == sentence


GOING_ON: list[tuple[Sequence[Happening], str]] = [
    ([], "nobody was dialled yet"),
    ([CALLED], "A is being dialled"),
    ([CALLED, RINGS], "A rings"),
    ([CALLED, RINGS, ANSWERS], "A has answered"),
    ([CALLED, RINGS, ANSWERS, B_CALLED, B_RINGS], "B rings"),
    ([CALLED, RINGS, ANSWERS, B_CALLED, B_RINGS, B_ANSWERS], "both talk"),
]


@pytest.mark.parametrize(("happenings", "state"), GOING_ON)
async def test_B4_given_a_call_that_goes_on_when_told_then_the_sentence_says_how_far_it_is(
    calls: Desk, happenings: Sequence[Happening], state: str
) -> None:
    session_id = await lived(calls, happenings, None, plan=callback())
    report = await details_of(calls, now=20.0).report(session_id, of_account=None)

    assert report is not None
    assert report.verdict == f"The call goes on: {state}."


def test_B4_given_every_end_that_calls_have_when_put_in_words_then_none_is_missing() -> None:
    outcomes = [value for value in vars(ends).values() if isinstance(value, Outcome)]
    codes = {outcome.state_code for outcome in outcomes} | {
        failed_leg("a", cause, 0).state_code for cause in range(128)
    }

    for code in codes - {0}:
        assert str(code) not in words.end(code, "B"), code


async def test_B4_given_another_account_when_it_asks_then_there_is_no_such_call(calls: Desk) -> None:
    session_id = await lived(calls, [CALLED], ends.STOPPED, 1.0)
    details = details_of(calls)

    assert await details.report(session_id, of_account="other") is None
    assert await details.report(session_id, of_account="acme") is not None
    assert await details.report(session_id.partition("@")[0], of_account=None) is not None
    assert await details.report(session_id.replace("host", "other"), of_account=None) is None
    assert await details.report("1200_0_0_0", of_account=None) is None

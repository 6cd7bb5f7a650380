"""The outcome of a leg that did not come about: the table of the wire API document, section 7.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.ari.fake import cause_of
from controller.calls.outcome import (
    CALL_TIMEOUT,
    NODE_LOST,
    NORMAL,
    RING_TIMEOUT,
    Outcome,
    failed_leg,
    speaks_against_trunk,
)

FIRST_LEG_FAILED, SECOND_LEG_FAILED, NOT_ANSWERED = 519, 518, 514


@pytest.mark.requirement("B1", "B2")
@pytest.mark.parametrize(
    ("sip_status", "cause", "state_code", "kept_cause", "cut_point"),
    [
        # busy
        (486, 17, 8102, 17, FIRST_LEG_FAILED),
        (600, 17, 8102, 17, FIRST_LEG_FAILED),
        (486, 0, 8102, 17, FIRST_LEG_FAILED),
        # not answered, said by the far end
        (480, 19, 8101, 19, NOT_ANSWERED),
        (480, 0, 8101, 19, NOT_ANSWERED),
        (408, 0, 8101, 19, NOT_ANSWERED),
        (0, 19, 8101, 19, NOT_ANSWERED),
        # absent or out of reach: the far end's Reason says more than its status
        (480, 20, 8103, 20, FIRST_LEG_FAILED),
        (480, 18, 8103, 18, FIRST_LEG_FAILED),
        (502, 27, 8103, 27, FIRST_LEG_FAILED),
        # does not exist, not complete
        (404, 1, 8100, 1, FIRST_LEG_FAILED),
        (604, 1, 8100, 1, FIRST_LEG_FAILED),
        (484, 28, 8100, 28, FIRST_LEG_FAILED),
        (410, 22, 8100, 22, FIRST_LEG_FAILED),
        (404, 0, 8100, 1, FIRST_LEG_FAILED),
        (404, 3, 8100, 3, FIRST_LEG_FAILED),
        # rejected
        (603, 21, 8105, 21, FIRST_LEG_FAILED),
        (403, 21, 8105, 21, FIRST_LEG_FAILED),
        (607, 127, 8105, 21, FIRST_LEG_FAILED),
        # trunk or carrier
        (503, 34, 8001, 34, FIRST_LEG_FAILED),
        (500, 38, 8001, 38, FIRST_LEG_FAILED),
        (503, 41, 8001, 41, FIRST_LEG_FAILED),
        (503, 42, 8001, 42, FIRST_LEG_FAILED),
        (488, 58, 8001, 58, FIRST_LEG_FAILED),
        (0, 0, 8001, 0, FIRST_LEG_FAILED),
        (0, 16, 8001, 16, FIRST_LEG_FAILED),
        (0, 127, 8001, 127, FIRST_LEG_FAILED),
    ],
)
def test_given_a_failed_leg_when_its_outcome_is_looked_up_then_it_is_the_tables(
    sip_status: int, cause: int, state_code: int, kept_cause: int, cut_point: int
) -> None:
    first = failed_leg("a", cause, sip_status)
    assert (first.state_code, first.cause, first.cut_point) == (state_code, kept_cause, cut_point)
    assert (first.leg, first.sip_status) == ("a", sip_status)
    second = failed_leg("b", cause, sip_status, second_leg=True)
    expected = SECOND_LEG_FAILED if cut_point == FIRST_LEG_FAILED else cut_point
    assert (second.state_code, second.leg, second.cut_point) == (state_code, "b", expected)


@pytest.mark.requirement("B1", "B2")
@pytest.mark.parametrize(
    ("sip_status", "state_code"),
    [(486, 8102), (480, 8101), (404, 8100), (484, 8100), (603, 8105), (403, 8105), (503, 8001), (500, 8001)],
)
def test_given_a_sip_status_when_asterisk_makes_the_cause_then_the_outcome_is_the_tables(
    sip_status: int, state_code: int
) -> None:
    assert failed_leg("a", cause_of(sip_status), sip_status).state_code == state_code


@given(st.integers(0, 127), st.integers(0, 699))
def test_given_any_cause_and_status_when_looked_up_then_the_outcome_is_one_of_a_failed_call(
    cause: int, sip_status: int
) -> None:
    outcome = failed_leg("a", cause, sip_status)
    assert outcome.state_code in {8001, 8100, 8101, 8102, 8103, 8105}
    assert outcome.cut_point in {FIRST_LEG_FAILED, NOT_ANSWERED}
    assert outcome.text
    assert outcome.sip_status == sip_status


def test_given_an_outcome_when_put_on_a_leg_then_the_value_itself_is_untouched() -> None:
    on_leg = RING_TIMEOUT.on_leg("a", 480, 19)
    assert (on_leg.leg, on_leg.sip_status, on_leg.cause) == ("a", 480, 19)
    assert (on_leg.state_code, on_leg.cut_point) == (RING_TIMEOUT.state_code, RING_TIMEOUT.cut_point)
    assert RING_TIMEOUT.leg is None
    assert (NORMAL.state_code, NORMAL.cut_point, NODE_LOST.state_code) == (0, 0, 8000)


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("status", [401, 403, 407, 488, 500, 502, 503, 504])
def test_E2_given_a_leg_that_the_carrier_refused_when_judged_then_it_speaks_against_the_trunk(
    status: int,
) -> None:
    assert speaks_against_trunk(failed_leg("a", cause_of(status), status))


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("status", [404, 408, 410, 480, 484, 486, 600, 603, 604, 607])
def test_E2_given_a_leg_that_failed_at_the_person_when_judged_then_it_says_nothing_against_the_trunk(
    status: int,
) -> None:
    assert not speaks_against_trunk(failed_leg("a", cause_of(status), status))


@pytest.mark.requirement("E2")
@pytest.mark.parametrize(("outcome", "against"), [(CALL_TIMEOUT, True), (NODE_LOST, False), (NORMAL, False)])
def test_E2_given_a_leg_without_a_status_when_judged_then_only_silence_speaks_against_the_trunk(
    outcome: Outcome, against: bool
) -> None:
    assert speaks_against_trunk(outcome) is against

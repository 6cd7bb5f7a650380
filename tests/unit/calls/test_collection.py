"""Digit collection and replay: tables and properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.calls.collection import NO_REPLAY, Collection, ReplayRule

FIRST, INTER = 5.0, 3.0
PROMPT_ENDED = "prompt ended"


def run(wanted: int, *steps: tuple[str, float]) -> Collection:
    collection = Collection(wanted, FIRST, INTER)
    for what, at in steps:
        collection = collection.prompt_ended(at) if what == PROMPT_ENDED else collection.pressed(what, at)
    return collection


@pytest.mark.requirement("A2.2")
@pytest.mark.parametrize(
    ("wanted", "steps", "digits", "deadline", "complete"),
    [
        # While the prompt plays and no key was pressed nothing runs out.
        (1, [], "", None, False),
        # After the prompt the first key is waited for.
        (1, [(PROMPT_ENDED, 10.0)], "", 15.0, False),
        (1, [(PROMPT_ENDED, 10.0), ("5", 14.9)], "5", 17.9, True),
        # A key during the prompt counts; from then on the time from key to key runs.
        (1, [("5", 2.0)], "5", 5.0, True),
        (3, [("5", 2.0)], "5", 5.0, False),
        (3, [("5", 2.0), ("6", 4.0)], "56", 7.0, False),
        (3, [("5", 2.0), ("6", 4.0), ("7", 6.0)], "567", 9.0, True),
        # The end of a prompt that a key has stopped changes nothing.
        (3, [("5", 2.0), (PROMPT_ENDED, 2.1)], "5", 5.0, False),
        (3, [(PROMPT_ENDED, 1.0), ("5", 2.0), (PROMPT_ENDED, 2.1)], "5", 5.0, False),
        # Keys beyond the wanted ones are dropped, time included.
        (2, [("1", 1.0), ("2", 2.0), ("3", 3.0)], "12", 5.0, True),
        # Every key of a telephone counts.
        (12, [(key, 1.0) for key in "1234567890*#"], "1234567890*#", 4.0, True),
        (4, [(key, 1.0) for key in "ABCD"], "ABCD", 4.0, True),
        # Nothing to collect is complete at once.
        (0, [], "", None, True),
        (0, [("1", 1.0)], "", None, True),
        (32, [("9", float(second)) for second in range(32)], "9" * 32, 34.0, True),
    ],
)
def test_given_keys_and_times_when_collected_then_digits_and_deadline_are_those_of_the_table(
    wanted: int,
    steps: list[tuple[str, float]],
    digits: str,
    deadline: float | None,
    complete: bool,
) -> None:
    collection = run(wanted, *steps)
    assert (collection.digits, collection.deadline, collection.complete) == (digits, deadline, complete)
    assert collection.started is bool(digits)


keys = st.sampled_from("0123456789*#ABCD")
presses = st.lists(st.tuples(keys, st.floats(0, 100)), max_size=40).map(
    lambda steps: sorted(steps, key=lambda step: step[1])
)


@given(st.integers(0, 32), presses)
def test_given_any_keys_when_collected_then_the_digits_are_the_first_ones_pressed(
    wanted: int, steps: list[tuple[str, float]]
) -> None:
    collection = run(wanted, *steps)
    assert collection.digits == "".join(key for key, _at in steps)[:wanted]
    assert collection.complete == (len(steps) >= wanted)


@given(st.integers(1, 32), presses)
def test_given_any_keys_when_one_counts_then_its_time_sets_the_deadline(
    wanted: int, steps: list[tuple[str, float]]
) -> None:
    collection = run(wanted, *steps)
    counted = steps[:wanted]
    assert collection.deadline == (counted[-1][1] + INTER if counted else None)


@given(st.integers(1, 32), presses, st.floats(0, 100))
def test_given_any_keys_when_the_prompt_ends_between_them_then_the_digits_are_the_same(
    wanted: int, steps: list[tuple[str, float]], at: float
) -> None:
    before = [step for step in steps if step[1] <= at]
    after = [step for step in steps if step[1] > at]
    with_end = run(wanted, *before, (PROMPT_ENDED, at), *after)
    assert with_end.digits == run(wanted, *steps).digits
    # Once the prompt is over, something always runs out.
    assert with_end.deadline is not None


@given(st.integers(0, 32), presses)
def test_given_any_collection_when_it_goes_on_then_the_former_state_is_untouched(
    wanted: int, steps: list[tuple[str, float]]
) -> None:
    collection = Collection(wanted, FIRST, INTER)
    run(wanted, *steps)
    collection.pressed("1", 1.0)
    collection.prompt_ended(1.0)
    assert collection == Collection(wanted, FIRST, INTER)


@pytest.mark.requirement("A2.3")
@pytest.mark.parametrize(
    ("rule", "digits", "replay"),
    [
        (NO_REPLAY, "1", False),
        (ReplayRule(False, "1"), "1", False),
        (ReplayRule(True, "1"), "1", True),
        (ReplayRule(True, "1"), "2", False),
        (ReplayRule(True, "1"), "11", False),
        (ReplayRule(True, "12"), "1", False),
        (ReplayRule(True, "*"), "*", True),
        (ReplayRule(True, "1"), "", False),
        (ReplayRule(True, None), "7", True),
        (ReplayRule(True, None), "", False),
    ],
)
def test_given_a_replay_rule_when_digits_were_collected_then_only_the_exact_trigger_demands_a_replay(
    rule: ReplayRule, digits: str, replay: bool
) -> None:
    assert rule.demands_replay(digits) is replay

"""Number patterns: what they take, what they say of countries, and what is wrong with faulty ones."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.rules.patterns import NumberPattern, NumberSet, check_pattern, country_code

TAKES: dict[str, tuple[list[str], list[str]]] = {
    "+8613900001111": (["+8613900001111"], ["+861390000111", "+86139000011111"]),
    "_+86139XXXX1111": (["+8613912341111"], ["+8613912341112"]),
    "+86-139-X.": (["+8613912"], ["+861391"]),
    "+Z00": (["+100", "+900"], ["+000"]),
    "+N00": (["+200", "+900"], ["+100"]),
    "+[13-5]00": (["+100", "+300", "+400", "+500"], ["+200", "+600"]),
    "+[135]00": (["+100", "+300", "+500"], ["+200", "+400"]),
    "+86.": (["+861", "+8613900001111"], ["+86", "+87"]),
    "+86!": (["+86", "+861"], ["+87", "+8"]),
    "+xzn": (["+012"], ["+001", "+011"]),
    "+.": (["+1", "+8613900001111"], ["+"]),
}


@pytest.mark.requirement("A4.3")
@pytest.mark.parametrize("pattern", TAKES)
def test_A4_3_given_a_pattern_when_numbers_are_looked_up_then_it_takes_them_as_the_dialplan_would(
    pattern: str,
) -> None:
    taken, refused = TAKES[pattern]
    numbers = NumberSet([pattern])

    assert [number for number in taken if number not in numbers] == []
    assert [number for number in refused if number in numbers] == []


FAULTS = {
    "": "begin with +",
    "86.": "begin with +",
    "+": "has no digits",
    "+86Y": "'Y' is none of",
    "+86 139": "' ' is none of",
    "+86.1": "nothing can stand after .",
    "+86!!": "nothing can stand after !",
    "+86[": "a set is",
    "+86[]": "a set is",
    "+86[X]": "a set is",
    "+86[5-1]": "a range in brackets goes up",
    "+86[-1]": "a range in brackets goes up",
    "+８6": "'８' is none of",
}


@pytest.mark.requirement("A4.3")
@pytest.mark.parametrize("pattern", FAULTS)
def test_A4_3_given_a_faulty_pattern_when_checked_then_the_text_names_it_and_what_is_wrong(
    pattern: str,
) -> None:
    with pytest.raises(ValueError) as caught:
        check_pattern(pattern)

    assert repr(pattern) in str(caught.value)
    assert FAULTS[pattern] in str(caught.value)


CODES = {
    "+8613900001111": "86",
    "+12025550123": "1",
    "+74951234567": "7",
    "+85212345678": "852",
    "+85312345678": "853",
    "+886212345678": "886",
    "+8121234567": "81",
    "+442071234567": "44",
    "+35312345678": "353",
    "+21212345678": "212",
    "+99901600000": "999",
    "+3712345678": "371",
    "+2012345678": "20",
}


@pytest.mark.parametrize("number", CODES)
def test_given_a_number_when_its_country_is_asked_for_then_it_is_that_of_e164(number: str) -> None:
    assert country_code(number) == CODES[number]


def takes(tokens: list[str], ending: str, digits: str) -> bool:
    """The rules of the dialplan, a place at a time."""
    classes = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
    if not tokens:
        least = {"": 0, "!": 0, ".": 1}[ending]
        return digits == "" if ending == "" else len(digits) >= least
    if not digits:
        return False
    allowed = tokens[0].strip("[]") if tokens[0].startswith("[") else classes.get(tokens[0], tokens[0])
    return digits[0] in allowed and takes(tokens[1:], ending, digits[1:])


SETS = st.sets(st.sampled_from("0123456789"), min_size=1).map(lambda digits: f"[{''.join(sorted(digits))}]")
TOKENS = st.lists(st.one_of(st.sampled_from("0123456789XZN"), SETS), min_size=1, max_size=6)
DIGITS = st.text("0123456789", max_size=8)


@given(tokens=TOKENS, ending=st.sampled_from(["", ".", "!"]), digits=DIGITS)
def test_given_any_pattern_when_any_number_is_looked_up_then_it_is_taken_by_the_rules_of_the_dialplan(
    tokens: list[str], ending: str, digits: str
) -> None:
    pattern = "+" + "".join(tokens) + ending

    assert ("+" + digits in NumberSet([pattern])) == takes(tokens, ending, digits)


@given(tokens=TOKENS, ending=st.sampled_from(["", ".", "!"]), digits=DIGITS, length=st.integers(0, 8))
def test_given_a_number_that_a_pattern_takes_when_its_start_is_asked_for_then_numbers_can_begin_so(
    tokens: list[str], ending: str, digits: str, length: int
) -> None:
    pattern = NumberPattern("+" + "".join(tokens) + ending)

    if "+" + digits in NumberSet([pattern.text]):
        assert pattern.can_begin(digits[:length])


@given(digits=st.sets(st.sampled_from("0123456789"), min_size=1), number=st.sampled_from("0123456789"))
def test_given_a_set_with_a_range_when_written_either_way_then_it_means_the_same(
    digits: set[str], number: str
) -> None:
    low, high = min(digits), max(digits)
    spelt = "".join(str(digit) for digit in range(int(low), int(high) + 1))

    assert (f"+{number}" in NumberSet([f"+[{low}-{high}]"])) == (f"+{number}" in NumberSet([f"+[{spelt}]"]))


def test_given_no_patterns_when_a_number_is_looked_up_then_it_is_not_there() -> None:
    assert "+8613900001111" not in NumberSet()
    assert not NumberSet()
    assert NumberSet(["+86."])
    assert NumberSet(["+8613900001111"])

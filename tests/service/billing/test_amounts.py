"""Amounts are exact, in the program, in the database and on paper."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from controller.rules.amounts import Amount, Payment, Price, amount_text, exact, from_units, to_units

UNITS = st.integers(-(10**15), 10**15)


@pytest.mark.requirement("C8")
@given(UNITS)
def test_C8_given_any_amount_when_kept_as_an_integer_and_read_then_it_is_the_same(units: int) -> None:
    amount = from_units(units)

    assert to_units(amount) == units
    assert Decimal(amount_text(amount)) == amount


@pytest.mark.requirement("C8")
@given(st.lists(UNITS, max_size=50))
def test_C8_given_any_amounts_when_added_up_then_nothing_is_lost(units: list[int]) -> None:
    assert sum(map(from_units, units), from_units(0)) == from_units(sum(units))


@pytest.mark.parametrize("text", ["0.18005", "NaN", "Infinity", "1e12"])
def test_given_what_is_no_amount_when_checked_then_it_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        exact(Decimal(text))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Amount, 0.18),
        (Price, "-0.01"),
        (Payment, "0"),
        (Amount, "x"),
        (Amount, "1.23456"),
        (Amount, 1),
        (Amount, "1e3"),
        (Amount, " 1"),
        (Amount, "1\n"),
        (Amount, True),
    ],
)
def test_given_a_faulty_amount_when_read_from_outside_then_it_is_refused(kind: object, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("units", "text"), [(1800, "0.18"), (65, "0.0065"), (300000, "30.00"), (-5, "-0.0005")]
)
def test_given_an_amount_when_written_then_it_has_two_places_or_as_many_as_it_takes(
    units: int, text: str
) -> None:
    assert amount_text(from_units(units)) == text

"""What a call costs: started minutes of answered legs, by the times that the customer's record shows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from service.billing.support import A, B, Made

from controller.billing.prices import PriceBook, Tariff
from controller.billing.rating import Legs, decode_record, rate, started_minutes
from controller.store.billing_tables import Price
from controller.store.engines import _json

END = datetime(2026, 11, 24, 4, 0, 0, 950_000, tzinfo=UTC)
PRICE = Decimal("0.18")
SIMULATED = "+99901602000"
NEVER = None


def cost(legs: Legs, ended_at: datetime = END) -> tuple[int, int, Decimal]:
    rating = rate(legs, ended_at, lambda _at: PRICE, lambda number: number.startswith("+999"))
    return rating.legs, rating.minutes, rating.amount


def before(seconds: float) -> datetime:
    return END - timedelta(seconds=seconds)


@pytest.mark.requirement("C8")
@pytest.mark.parametrize(
    ("legs", "expected"),
    [
        ({"a": (A, NEVER)}, (0, 0, "0")),
        ({"a": (A, before(0))}, (1, 1, "0.18")),
        ({"a": (A, before(1))}, (1, 1, "0.18")),
        ({"a": (A, before(60))}, (1, 1, "0.18")),
        ({"a": (A, before(61))}, (1, 2, "0.36")),
        ({"a": (A, before(3600))}, (1, 60, "10.80")),
        ({"a": (A, before(70)), "b": (B, before(30))}, (2, 3, "0.54")),
        ({"a": (A, before(30)), "b": (B, NEVER)}, (1, 1, "0.18")),
        ({"a": (A, NEVER), "b": (B, NEVER)}, (0, 0, "0")),
        ({"a": (SIMULATED, before(100))}, (1, 0, "0")),
        ({"a": (A, before(70)), "b": (SIMULATED, before(30))}, (2, 2, "0.36")),
    ],
)
def test_C8_given_legs_when_rated_then_each_started_minute_of_each_answered_leg_costs_its_price(
    legs: Legs, expected: tuple[int, int, str]
) -> None:
    answered, minutes, amount = expected
    assert cost(legs) == (answered, minutes, Decimal(amount))


@pytest.mark.requirement("C8")
def test_C8_given_fractions_of_seconds_when_rated_then_the_minutes_are_those_of_the_pushed_record() -> None:
    # 60.05 s by the clock, a minute by the times that the customer is told.
    answered = datetime(2026, 11, 24, 3, 59, 0, 900_000, tzinfo=UTC)

    assert cost({"a": (A, answered)}) == (1, 1, PRICE)


@pytest.mark.requirement("C8")
def test_C8_given_a_clock_that_was_put_back_when_rated_then_a_minute_is_charged_and_not_less() -> None:
    assert cost({"a": (A, END + timedelta(hours=1))}) == (1, 1, PRICE)


@pytest.mark.requirement("C8")
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_C8_given_any_two_times_when_minutes_are_counted_then_they_cover_it_and_none_is_too_much(
    seconds: int, later: int
) -> None:
    minutes = started_minutes(before(seconds), END)

    assert minutes >= 1
    assert (minutes - 1) * 60 < max(seconds, 1) <= minutes * 60
    assert started_minutes(before(seconds + later), END) >= minutes


@pytest.mark.requirement("C8")
def test_C8_given_a_stored_record_when_rated_then_both_legs_of_the_callback_are_found() -> None:
    made = Made("c1", END, first=70, second=30, second_callee=B)

    record = decode_record(_json(made.record()))

    assert record.legs == {"a": (A, before(70)), "b": (B, before(30))}
    assert (record.account_id, record.ended_at) == (made.account_id, END)


@pytest.mark.requirement("C8")
def test_C8_given_a_price_history_when_asked_then_the_price_in_force_at_that_moment_is_found() -> None:
    at = [datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4)]
    book = PriceBook(
        [
            Price(account_id=None, valid_from=at[1], minute=Decimal("0.18"), number_month=Decimal(30)),
            Price(account_id="acme", valid_from=at[2], minute=Decimal("0.15"), number_month=None),
            Price(account_id="acme", valid_from=at[3], minute=None, number_month=Decimal(20)),
        ]
    )
    second = timedelta(seconds=1)

    assert book.at("acme", at[1] - second) == Tariff(Decimal(0), Decimal(0))
    assert book.at("acme", at[1]) == Tariff(Decimal("0.18"), Decimal(30))
    assert book.at("acme", at[3] - second) == Tariff(Decimal("0.15"), Decimal(30))
    assert book.at("acme", at[3]) == Tariff(Decimal("0.18"), Decimal(20))
    assert book.at("other", at[3]) == Tariff(Decimal("0.18"), Decimal(30))

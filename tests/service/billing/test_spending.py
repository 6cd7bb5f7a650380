"""The meter: a day never costs more than its cap, whatever calls do; it costs next to nothing itself."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service.billing.support import NOW, SETTINGS, A, B, SetClock, money

from controller.billing.calendar import Calendar
from controller.billing.prices import PriceBook
from controller.billing.rating import Legs, rate
from controller.billing.spending import Spending
from controller.store.billing_tables import Price
from controller.store.errors import Limit, LimitReached

PRICE = Decimal("0.18")
ACME, OTHER = "acme", "other"
SIMULATED = "+99901602000"
ONE: Legs = {"a": (A, None)}
TWO: Legs = {"a": (A, None), "b": (B, None)}


class FixedTerms:
    revision = 1

    def __init__(self, cap: Decimal | None) -> None:
        self.caps: dict[str, Decimal | None] = {ACME: cap}

    def cap_of(self, account_id: str) -> Decimal | None:
        return self.caps.get(account_id)

    def must_end(self) -> Iterable[str | None]:
        return ()


def made(cap: str | None = "1.80") -> tuple[Spending, SetClock]:
    clock = SetClock()
    terms = FixedTerms(None if cap is None else money(cap))
    spending = Spending(clock, Calendar(SETTINGS.zone_info), terms, lambda number: number.startswith("+999"))
    spending.prices = PriceBook(
        [Price(account_id=None, valid_from=NOW - timedelta(days=9), minute=PRICE, number_month=None)]
    )
    return spending, clock


def let_in(spending: Spending, count: int, legs: Legs = ONE, account: str = ACME) -> int:
    """How many of `count` calls are let in."""
    done = 0
    for number in range(count):
        try:
            spending.begin(f"call-{number}", account, legs)
        except LimitReached as refused:
            assert refused.limit is Limit.SPENDING
            continue
        done += 1
    return done


def answered(legs: Legs, at: datetime) -> Legs:
    return {name: (number, at) for name, (number, _at) in legs.items()}


@pytest.mark.requirement("C8")
@pytest.mark.parametrize(("legs", "most"), [(ONE, 10), (TWO, 5), ({"a": (SIMULATED, None)}, 20)])
def test_C8_given_live_calls_when_more_are_asked_for_then_each_holds_its_first_minutes(
    legs: Legs, most: int
) -> None:
    spending, _clock = made()

    assert let_in(spending, 20, legs) == most


@pytest.mark.requirement("C8")
def test_C8_given_a_cap_that_is_reached_when_asked_then_it_is_said_when_the_next_day_begins() -> None:
    spending, _clock = made("0.10")

    with pytest.raises(LimitReached) as caught:
        spending.begin("c", ACME, ONE)

    assert caught.value.passes_in == timedelta(hours=12)  # noon in Shanghai
    assert "0.00 of 0.10" in str(caught.value)


@pytest.mark.requirement("C8")
def test_C8_given_calls_that_end_when_unanswered_then_nothing_is_spent_and_answered_ones_count() -> None:
    spending, clock = made()
    let_in(spending, 10)

    for number in range(4):
        spending.ended(f"call-{number}", ACME, ONE, clock.now())
    spending.ended("call-4", ACME, answered(ONE, clock.now() - timedelta(seconds=61)), clock.now())
    spending.forget("call-5")

    spent = spending.spent(ACME)
    assert (spent.ended, spent.live) == (money("0.36"), money("0.72"))
    assert len(spending.live_calls()) == 4
    assert [call.answered for call in spending.take_ended()] == [False] * 4 + [True]


@pytest.mark.requirement("C8")
def test_C8_given_live_calls_without_an_end_when_the_cap_comes_near_then_they_are_ended_before_it() -> None:
    spending, clock = made("0.60")
    for call in ("c1", "c2"):
        spending.begin(call, ACME, ONE)
        spending.answered(call, "a", clock.now())

    # Three minutes can be paid: the first ones of both, and the second of the first that comes to it.
    clock.pass_(seconds=56)
    assert spending.overdrawn() == []
    clock.pass_(seconds=2)
    assert spending.overdrawn() == ["c2"]
    spending.ended("c2", ACME, answered(ONE, NOW), clock.now())
    clock.pass_(seconds=60)
    assert spending.overdrawn() == ["c1"]
    spending.ended("c1", ACME, answered(ONE, NOW), clock.now())

    spent = spending.spent(ACME)
    assert (spent.ended, spent.live, spent.refused) == (money("0.54"), Decimal(0), 2)


@pytest.mark.requirement("C8")
def test_C8_given_a_leg_that_is_free_when_its_call_runs_then_only_the_other_one_counts() -> None:
    spending, clock = made()
    spending.begin("c", ACME, {"a": (SIMULATED, None), "b": (B, None)})
    spending.answered("c", "a", clock.now())
    clock.pass_(seconds=90)
    spending.answered("c", "b", clock.now())
    clock.pass_(seconds=30)
    assert (spending.overdrawn(), spending.spent(ACME).live) == ([], PRICE)

    clock.pass_(seconds=30)
    assert (spending.overdrawn(), spending.spent(ACME).live) == ([], 2 * PRICE)


@pytest.mark.requirement("C8")
def test_C8_given_an_account_without_a_cap_when_calls_run_then_none_is_refused_or_ended() -> None:
    spending, clock = made(None)

    assert let_in(spending, 500) == 500
    spending.answered("call-1", "a", clock.now())
    clock.pass_(hours=3)
    assert spending.overdrawn() == []


@pytest.mark.requirement("C8")
def test_C8_given_another_account_when_one_has_spent_its_cap_then_the_other_calls_on() -> None:
    spending, _clock = made()
    let_in(spending, 20)

    spending.begin("of-other", OTHER, ONE)

    assert spending.live_calls(OTHER) == ["of-other"]


@pytest.mark.requirement("C8")
def test_C8_given_a_new_day_when_it_begins_then_the_cap_is_whole_again_but_for_live_calls() -> None:
    spending, clock = made()
    let_in(spending, 10)
    for number in range(9):
        spending.ended(f"call-{number}", ACME, answered(ONE, NOW), clock.now())
    spending.answered("call-9", "a", clock.now())

    clock.time = NOW.replace(hour=16)
    assert spending.spent(ACME).total == PRICE
    spending.ended("call-9", ACME, answered(ONE, clock.now() - timedelta(seconds=70)), clock.now())
    assert spending.spent(ACME).total == PRICE * 2


@pytest.mark.requirement("C8", "E4")
def test_C8_given_a_restart_when_calls_go_on_then_what_was_spent_and_what_is_live_counts() -> None:
    spending, clock = made()
    spending.start_from({ACME: money("1.08")})
    spending.go_on("resumed", ACME, answered(TWO, clock.now() - timedelta(seconds=30)))

    assert let_in(spending, 10) == 2


@pytest.mark.requirement("C8")
@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7), st.integers(1, 70)), max_size=40))
def test_C8_given_anything_that_calls_do_when_a_day_is_over_then_it_cost_no_more_than_its_cap(
    steps: list[tuple[int, int, int]],
) -> None:
    spending, clock = made("2.00")
    legs: dict[str, dict[str, tuple[str, datetime | None]]] = {}
    bill = Decimal(0)

    def end(call: str) -> None:
        nonlocal bill
        bill += rate(legs[call], clock.now(), lambda _at: PRICE, lambda _number: False).amount
        spending.ended(call, ACME, legs.pop(call), clock.now())

    def second() -> None:
        clock.pass_(seconds=1)
        for call in spending.overdrawn():
            end(call)

    for what, which, seconds in steps:
        call = f"c{which}"
        if what == 0 and call not in legs:
            wanted = dict(TWO if which % 2 else ONE)
            try:
                spending.begin(call, ACME, wanted)
                legs[call] = wanted
            except LimitReached:
                pass
        elif what == 1 and call in legs:
            leg = "b" if which % 2 and legs[call]["a"][1] else "a"
            if legs[call][leg][1] is None:
                legs[call][leg] = (legs[call][leg][0], clock.now())
                spending.answered(call, leg, clock.now())
        elif what == 2 and call in legs:
            end(call)
        else:
            for _second in range(seconds):
                second()
    for call in list(legs):
        end(call)

    assert bill == spending.spent(ACME).ended <= money("2.00")
    assert spending.spent(ACME).live == 0

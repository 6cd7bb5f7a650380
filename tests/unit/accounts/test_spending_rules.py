"""Classes of numbers, calls per second as shipped, caps, and what holds accounts."""

from dataclasses import replace
from decimal import Decimal

import pytest
from unit.accounts.test_admission import APPLICATION, FixedClock, admit, directory, refused

from controller.accounts.admission import Admission
from controller.accounts.dialling import DiallingPolicy, Verdict
from controller.accounts.directory import Held, LiveDirectory
from controller.accounts.errors import AccountHeld, EverythingStopped, NotDiallable, Party
from controller.accounts.spending import SpendingTerms
from controller.phone_number import PhoneNumber
from controller.rules.number_classes import NumberClass
from controller.settings import DiallingSettings, LimitSettings
from controller.settings.limits import Cap
from controller.store.billing_tables import EVERYTHING
from controller.store.tables import Service

WORLD = DiallingSettings(allowed=["+."])
LOW, PREMIUM, FRAUD = NumberClass
NUMBERS = {
    "+8613900001111": LOW,
    "+442071234567": LOW,
    "+12125550123": LOW,
    "+12425550123": FRAUD,  # looks like any of North America
    "+19005550123": PREMIUM,
    "+449012345678": PREMIUM,
    "+4915112345678": LOW,
    "+4990012345": PREMIUM,
    "+881612345678": FRAUD,  # a satellite
    "+88213123456": FRAUD,
    "+97912345678": PREMIUM,
    "+2521234567": FRAUD,
    "+9607712345": FRAUD,
    "+46901234567": LOW,  # Umea, whose area code begins like Sweden's premium numbers
    "+469001234567": PREMIUM,
}


@pytest.mark.requirement("A4.3", "C8")
@pytest.mark.parametrize("number", NUMBERS)
def test_A4_3_given_the_shipped_lists_when_a_number_is_looked_at_then_its_class_is_found(number: str) -> None:
    shipped = DiallingPolicy(["+."], premium=WORLD.premium, toll_fraud=WORLD.toll_fraud)

    assert shipped.class_of(PhoneNumber(number)) is NUMBERS[number]


@pytest.mark.requirement("A4.3", "C8")
@pytest.mark.parametrize("number", NUMBERS)
def test_A4_3_given_all_the_world_is_allowed_when_called_then_only_the_low_class_is(number: str) -> None:
    callee = PhoneNumber(number)

    if NUMBERS[number] is LOW:
        assert admit(dialling=WORLD, callee=callee)
    else:
        assert refused(NotDiallable, dialling=WORLD, callee=callee).party is Party.CALLEE
        assert refused(NotDiallable, dialling=WORLD, caller=callee).party is Party.CALLER


@pytest.mark.requirement("A4.3", "C8")
@pytest.mark.parametrize(
    ("operators", "accounts", "verdict"),
    [
        ([LOW, PREMIUM], None, Verdict.ALLOWED),
        ([LOW, PREMIUM], [LOW, PREMIUM], Verdict.ALLOWED),
        ([LOW, PREMIUM], [LOW], Verdict.NOT_ALLOWED),
        ([LOW], [LOW, PREMIUM, FRAUD], Verdict.NOT_ALLOWED),
        ([LOW, PREMIUM], [], Verdict.NOT_ALLOWED),
    ],
)
def test_A4_3_given_classes_of_operator_and_account_when_judged_then_both_must_let_it_pass(
    operators: list[NumberClass], accounts: list[NumberClass] | None, verdict: Verdict
) -> None:
    policy = DiallingPolicy(["+."], classes=operators, premium=WORLD.premium, toll_fraud=WORLD.toll_fraud)

    assert policy.judge(PhoneNumber("+19005550123"), accounts) is verdict


@pytest.mark.requirement("A4.3", "C8")
def test_A4_3_given_an_account_with_classes_of_its_own_when_it_calls_then_they_are_asked() -> None:
    operator = WORLD.model_copy(update={"classes": list(NumberClass)})
    premium = PhoneNumber("+19005550123")

    assert admit(directory(), dialling=operator, callee=premium)
    refused(NotDiallable, directory(rules={"number_classes": ["low"]}), dialling=operator, callee=premium)


@pytest.mark.requirement("A4.3", "C8")
def test_A4_3_given_a_route_for_the_dialplan_when_the_class_is_not_the_operators_then_it_is_refused() -> None:
    admission = Admission(WORLD, LimitSettings(), FixedClock())

    with pytest.raises(NotDiallable):
        admission.check_callee(PhoneNumber("+881612345678"))


@pytest.mark.requirement("A4.4", "C8")
@pytest.mark.parametrize(("declared", "rate"), [(None, 1), (0, 0), (7, 7)])
def test_A4_4_given_the_shipped_limits_when_an_account_calls_then_it_makes_one_call_a_second_or_its_own(
    declared: int | None, rate: int
) -> None:
    assert admit(directory(calls_per_second=declared)).account_rate == rate


@pytest.mark.requirement("C8")
@pytest.mark.parametrize(
    ("shipped", "own", "cap"),
    [
        (Decimal(50), None, Decimal(50)),
        (Decimal(50), "7.5", Decimal("7.5")),
        (Decimal(50), "0", Decimal(0)),
        (Decimal(50), "none", None),
        ("none", None, None),
        ("none", "7.5", Decimal("7.5")),
    ],
)
def test_C8_given_caps_of_operator_and_account_when_asked_for_then_the_accounts_own_wins(
    shipped: Cap, own: str | None, cap: Decimal | None
) -> None:
    live = LiveDirectory.__new__(LiveDirectory)
    live.now = directory(rules={"daily_cap": own} if own else None)
    terms = SpendingTerms(live, shipped)

    assert terms.cap_of("acme") == cap
    assert terms.cap_of("nobody") == (None if shipped == "none" else shipped)


@pytest.mark.requirement("C8")
def test_C8_given_holds_when_a_call_is_asked_for_then_it_is_refused_and_live_calls_end_if_they_shall() -> (
    None
):
    held = replace(directory(), holds=(Held("acme"), Held("other", ends_calls=True)))
    stopped = replace(directory(), holds=(Held(EVERYTHING, ends_calls=True),))
    others = replace(directory(), holds=(Held("other"),))
    live = LiveDirectory.__new__(LiveDirectory)
    terms = SpendingTerms(live, "none")

    with pytest.raises(AccountHeld):
        held.check_may_call(APPLICATION, Service.CALLBACK)
    with pytest.raises(EverythingStopped):
        stopped.check_may_call(APPLICATION, Service.CALLBACK)
    others.check_may_call(APPLICATION, Service.CALLBACK)
    live.now = held
    assert list(terms.must_end()) == ["other"]
    live.now = stopped
    assert list(terms.must_end()) == [None]

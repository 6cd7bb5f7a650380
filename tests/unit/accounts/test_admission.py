"""Who may be called and when: the operator's rules and the account's, in the documented order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from controller.accounts.admission import Admission
from controller.accounts.directory import Application, Directory, DisplayNumber
from controller.accounts.errors import (
    Abroad,
    AccountError,
    AccountInactive,
    AppInactive,
    CalleeBlacklisted,
    CalleeNotWhitelisted,
    CallerBlacklisted,
    NotDiallable,
    OutsideHours,
    Party,
)
from controller.accounts.rules import terms_of
from controller.phone_number import PhoneNumber
from controller.rules.windows import Window
from controller.settings import DiallingSettings, LimitSettings
from controller.store.limits import Frequency, Limits
from controller.store.tables import Account, Service

NOON = datetime(2026, 11, 24, 4, 0, tzinfo=UTC)
"""In Shanghai."""

FIRST, SECOND = PhoneNumber("+8657126880001"), PhoneNumber("+8657126880002")
A, B = PhoneNumber("+8613900001111"), PhoneNumber("+8613900002222")
SIMULATED, HONG_KONG, SERVICE = (
    PhoneNumber(text) for text in ("+99901600000", "+85221234567", "+864008208820")
)
APPLICATION = Application("app", "acme", Service.CALLBACK, True, False, 10, SecretStr("12345678"), None, None)

SHIPPED = DiallingSettings()
SHIPPED_WINDOWS = (Window(3, timedelta(hours=24)), Window(10, timedelta(days=30)))


OWN_PHONE, THEIR_PHONE = PhoneNumber("+99000000001"), PhoneNumber("+99000000002")


class FixedClock:
    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


def directory(
    app: dict[str, Any] | None = None, numbers: dict[str, Any] | None = None, **account: Any
) -> Directory:
    row = Account(id="acme", **account)
    return Directory(
        applications={"app": replace(APPLICATION, **(app or {}))},
        numbers={
            FIRST.e164: DisplayNumber("acme", **(numbers or {})),
            SECOND.e164: DisplayNumber("acme", max_calls=7),
        },
        accounts={"acme": terms_of(row)},
    )


def admit(
    declared: Directory | None = None,
    *,
    operator: dict[str, Any] | None = None,
    dialling: DiallingSettings = SHIPPED,
    now: datetime = NOON,
    caller: PhoneNumber | None = A,
    callee: PhoneNumber = B,
) -> Limits:
    admission = Admission(dialling, LimitSettings(**(operator or {})), FixedClock(now), "+999", Phones())
    found = declared or directory()
    return admission.admit(found, found.applications["app"], caller, callee, (FIRST, SECOND))


class Phones:
    """Phones in browsers, of which two are switched on."""

    def has(self, number: PhoneNumber) -> bool:
        return number.e164.startswith("+990")

    def may_be_called(self, number: PhoneNumber, account_id: str) -> bool:
        return number != THEIR_PHONE or account_id == "theirs"


def refused(error: type[AccountError], *args: Any, **wish: Any) -> Any:
    with pytest.raises(AccountError) as caught:
        admit(*args, **wish)
    assert type(caught.value) is error
    return caught.value


@pytest.mark.requirement("A4.3")
def test_A4_3_given_the_shipped_policy_when_either_phone_is_not_allowed_then_it_is_said_which() -> None:
    assert refused(Abroad, callee=HONG_KONG).party is Party.CALLEE
    assert refused(Abroad, caller=HONG_KONG).party is Party.CALLER
    assert refused(NotDiallable, callee=SERVICE).party is Party.CALLEE
    assert refused(NotDiallable, caller=SERVICE).party is Party.CALLER


def test_given_a_phone_in_a_browser_when_called_by_its_own_account_then_the_policy_does_not_speak_of_it() -> (
    None
):
    assert admit(caller=OWN_PHONE, callee=OWN_PHONE).app_calls == 10


def test_given_a_phone_in_a_browser_when_called_by_another_account_then_it_is_said_which_number_it_is() -> (
    None
):
    assert refused(NotDiallable, callee=THEIR_PHONE).party is Party.CALLEE
    assert refused(NotDiallable, caller=THEIR_PHONE).party is Party.CALLER


@pytest.mark.requirement("A4.3")
def test_A4_3_given_simulated_callees_when_called_then_the_policy_does_not_speak_of_them() -> None:
    assert admit(caller=SIMULATED, callee=SIMULATED).app_calls == 10


@pytest.mark.requirement("A4.3")
def test_A4_3_given_a_policy_of_the_operators_own_when_abroad_is_allowed_then_it_is_called() -> None:
    assert admit(callee=HONG_KONG, dialling=DiallingSettings(allowed=["+86.", "+852."]))


def by_operator(**rules: Any) -> dict[str, Any]:
    return {"operator": rules}


def by_account(**rules: Any) -> dict[str, Any]:
    return {"declared": directory(rules=rules)}


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("by", [by_operator, by_account])
@pytest.mark.parametrize("pattern", [B.e164, "+86139XXXX2222"])
def test_A4_4_given_a_callee_in_a_blacklist_when_called_then_refused_and_others_are_not(
    by: Any, pattern: str
) -> None:
    rules = by(callee_blacklist=[pattern])

    refused(CalleeBlacklisted, **rules)
    assert admit(**rules, callee=PhoneNumber("+8613900003333"))
    # The list is of callees: as A of a callback the number is a caller.
    assert admit(**rules, caller=B, callee=A)


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("by", [by_operator, by_account])
@pytest.mark.parametrize("pattern", [A.e164, "+86139XXXX1111"])
def test_A4_4_given_a_caller_in_a_blacklist_when_called_back_then_refused_and_others_are_not(
    by: Any, pattern: str
) -> None:
    rules = by(caller_blacklist=[pattern])

    refused(CallerBlacklisted, **rules)
    assert admit(**rules, caller=PhoneNumber("+8613900003333"))
    assert admit(**rules, caller=None, callee=A)


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("by", [by_operator, by_account])
def test_A4_4_given_a_whitelist_when_somebody_else_is_called_then_refused(by: Any) -> None:
    rules = by(callee_whitelist=[B.e164, "+8657126XXXXXX"])

    assert admit(**rules)
    assert admit(**rules, callee=PhoneNumber("+8657126880009"))
    refused(CalleeNotWhitelisted, **rules, callee=A)


@pytest.mark.requirement("A4.4")
def test_A4_4_given_whitelists_of_both_when_called_then_the_callee_must_be_in_each() -> None:
    declared = directory(rules={"callee_whitelist": [B.e164]})

    refused(CalleeNotWhitelisted, declared, operator={"callee_whitelist": [A.e164]})
    assert admit(declared, operator={"callee_whitelist": [A.e164, B.e164]})


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("by", [by_operator, by_account])
@pytest.mark.parametrize(
    ("moment", "wait"),
    [
        (NOON.replace(hour=0), None),  # 08:00
        (NOON.replace(hour=12, minute=59, second=59), None),  # 20:59:59
        (NOON.replace(hour=13), timedelta(hours=11)),  # 21:00
        (NOON.replace(hour=23, minute=59, second=59), timedelta(seconds=1)),  # 07:59:59
    ],
)
def test_A4_4_given_hours_when_called_outside_then_refused_with_the_time_to_wait(
    by: Any, moment: datetime, wait: timedelta | None
) -> None:
    rules = by(hours=["08:00-21:00"], hours_zone="Asia/Shanghai")

    if wait is None:
        assert admit(**rules, now=moment)
    else:
        assert refused(OutsideHours, **rules, now=moment).passes_in == wait


@pytest.mark.requirement("A4.4")
def test_A4_4_given_limits_of_all_kinds_when_admitted_then_they_are_what_is_counted() -> None:
    declared = directory(
        {"max_calls": 3, "calls_per_second": 4},
        {"max_calls": 5},
        max_calls=6,
        calls_per_second=8,
        rules={"callee_frequency": "refuse", "callee_windows": ["1/2h"]},
    )

    assert admit(declared, operator={"calls_per_second": 9}) == Limits(
        app_calls=3,
        account_calls=6,
        number_calls={FIRST.e164: 5, SECOND.e164: 7},
        app_rate=4,
        account_rate=8,
        platform_rate=9,
        frequency=Frequency((Window(1, timedelta(hours=2)),), refuse=True),
    )


FREQUENCIES: dict[str, tuple[dict[str, Any], dict[str, Any], Frequency | None]] = {
    "as_shipped": ({}, {}, None),
    "of_the_operator": ({"callee_frequency": "warn"}, {}, Frequency(SHIPPED_WINDOWS, refuse=False)),
    "of_the_account": ({}, {"callee_frequency": "refuse"}, Frequency(SHIPPED_WINDOWS, refuse=True)),
    "switched_off_by_the_account": ({"callee_frequency": "refuse"}, {"callee_frequency": "off"}, None),
    "with_windows_of_the_account": (
        {"callee_frequency": "refuse"},
        {"callee_windows": ["1/1h"]},
        Frequency((Window(1, timedelta(hours=1)),), refuse=True),
    ),
    "without_windows": ({"callee_frequency": "refuse", "callee_windows": []}, {}, None),
}


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("case", FREQUENCIES)
def test_A4_4_given_a_frequency_policy(case: str) -> None:
    operator, account, expected = FREQUENCIES[case]

    assert admit(directory(rules=account), operator=operator).frequency == expected


def test_given_everything_is_wrong_when_admitted_then_the_order_is_as_documented() -> None:
    everything = {
        "caller_blacklist": ["+."],
        "callee_blacklist": ["+."],
        "callee_whitelist": ["+8613900009999"],
        "hours": ["01:00-01:01"],
    }
    order = [CallerBlacklisted, CalleeBlacklisted, CalleeNotWhitelisted, OutsideHours]

    refused(NotDiallable, operator=everything, callee=SERVICE)
    for error, name in zip(order, list(everything), strict=True):
        refused(error, operator=everything)
        everything.pop(name)
    assert admit(operator=everything)


@pytest.mark.parametrize(
    ("app", "active", "error"),
    [(False, False, AppInactive), (True, False, AccountInactive), (True, True, None)],
)
def test_given_an_account_that_is_switched_off_when_a_call_is_asked_for_then_none_of_its_apps_may(
    app: bool, active: bool, error: type[AccountError] | None
) -> None:
    declared = directory({"active": app}, active=active)
    application = declared.applications["app"]

    if error is None:
        declared.check_may_call(application, Service.CALLBACK)
    else:
        with pytest.raises(error):
            declared.check_may_call(application, Service.CALLBACK)


def test_given_a_route_is_asked_for_when_the_operator_lets_nobody_call_the_number_then_it_is_refused() -> (
    None
):
    admission = Admission(DiallingSettings(), LimitSettings(callee_blacklist=[B.e164]), FixedClock())

    admission.check_callee(A)
    with pytest.raises(CalleeBlacklisted):
        admission.check_callee(B)
    with pytest.raises(Abroad):
        admission.check_callee(HONG_KONG)

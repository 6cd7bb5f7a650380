"""Every refusal by a limit or a rule: its code, status, text, and when it passes."""

from datetime import timedelta

import pytest

from controller.accounts.errors import (
    Abroad,
    AccountHeld,
    AccountInactive,
    AddressNotAllowed,
    CalleeBlacklisted,
    CalleeNotWhitelisted,
    CallerBlacklisted,
    EverythingStopped,
    NotDiallable,
    OutsideHours,
    Party,
)
from controller.api.wire.handlers import wire_error
from controller.store.errors import Limit, LimitReached

SECOND = timedelta(seconds=1)
CASES: dict[str, tuple[Exception, str, str, str | None]] = {
    "account off": (
        AccountInactive("off"),
        "1010007",
        "The ativeState of User is not ACTIVATING.",
        None,
    ),
    "account held": (
        AccountHeld("nothing left"),
        "1010007",
        "The ativeState of User is not ACTIVATING.",
        None,
    ),
    Limit.SPENDING: (
        LimitReached(Limit.SPENDING, "x", timedelta(hours=3)),
        "1010009",
        "No more APIs can be invoked.",
        "10800",
    ),
    "address": (
        AddressNotAllowed("elsewhere"),
        "1020166",
        "The app client ip is not in ip white list.",
        None,
    ),
    "abroad": (Abroad(Party.CALLEE), "1013112", "International callout is forbidden.", None),
    "caller abroad": (Abroad(Party.CALLER), "1013112", "International callout is forbidden.", None),
    "caller": (NotDiallable(Party.CALLER), "1010024", "Invalid caller number.", None),
    "callee": (
        NotDiallable(Party.CALLEE),
        "1010002",
        "Invalid request.calleeNbr is not allowed to be called here",
        None,
    ),
    "callee blacklisted": (CalleeBlacklisted("x"), "1013004", "Callee in blacklist.", None),
    "not whitelisted": (CalleeNotWhitelisted("x"), "1013011", "Callee is not on the whitelist.", None),
    "caller blacklisted": (CallerBlacklisted("x"), "1013010", "Caller in blacklist.", None),
    "outside hours": (
        OutsideHours(timedelta(seconds=59, microseconds=1)),
        "1013121",
        "Call black time forbidden.",
        "60",
    ),
    Limit.APP_CALLS: (
        LimitReached(Limit.APP_CALLS, "x"),
        "1020165",
        "The appkey call port of using exceeds the limited.",
        None,
    ),
    Limit.ACCOUNT_CALLS: (
        LimitReached(Limit.ACCOUNT_CALLS, "x"),
        "1013001",
        "Calls exceed the SP limit.",
        None,
    ),
    Limit.NUMBER_CALLS: (
        LimitReached(Limit.NUMBER_CALLS, "x"),
        "1013003",
        "Calls exceed the display number limit.",
        None,
    ),
    Limit.APP_RATE: (
        LimitReached(Limit.APP_RATE, "x", SECOND),
        "1013002",
        "Calls exceed the APP limit.",
        "1",
    ),
    Limit.ACCOUNT_RATE: (
        LimitReached(Limit.ACCOUNT_RATE, "x", SECOND),
        "1013001",
        "Calls exceed the SP limit.",
        "1",
    ),
    Limit.PLATFORM_RATE: (
        LimitReached(Limit.PLATFORM_RATE, "x", SECOND),
        "1010010",
        "The flow control upper limit is reached on the platform.",
        "1",
    ),
    Limit.FREQUENCY: (
        LimitReached(Limit.FREQUENCY, "x", timedelta(hours=1, microseconds=1)),
        "1013117",
        "The call frequency of the callee exceeds the limit.",
        "3601",
    ),
}


@pytest.mark.requirement("A4.3", "A4.4", "A4.5")
@pytest.mark.parametrize("case", CASES)
def test_A4_4_given_a_refusal_when_answered_then_code_status_text_and_wait_are_as_documented(
    case: str,
) -> None:
    error, code, description, wait = CASES[case]

    answer = wire_error(error)

    assert (answer.status, answer.body) == (403, {"resultcode": code, "resultdesc": description})
    assert answer.headers.get("Retry-After") == wait


@pytest.mark.requirement("C8")
def test_C8_given_everything_stopped_when_answered_then_it_is_the_platform_that_takes_no_calls() -> None:
    answer = wire_error(EverythingStopped("stopped"))

    assert (answer.status, answer.body["resultcode"]) == (503, "1010001")


def test_given_all_limits_when_answered_then_none_is_forgotten() -> None:
    assert set(Limit) <= set(CASES)

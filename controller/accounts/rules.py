"""What an account and the operator say about whom calls reach and when: as declared, and as it is applied."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from controller.accounts.errors import (
    CalleeBlacklisted,
    CalleeNotWhitelisted,
    CallerBlacklisted,
    OutsideHours,
)
from controller.phone_number import PhoneNumber
from controller.rules.amounts import Price
from controller.rules.hours import Hours
from controller.rules.number_classes import NumberClass
from controller.rules.patterns import NumberSet
from controller.rules.windows import window
from controller.settings import LimitSettings
from controller.settings.limits import CallRules, Cap, Frequency, WindowText
from controller.store.limits import Frequency as CountedFrequency
from controller.store.tables import Account


class AccountRules(CallRules):
    """What an account has beside the operator's rules; its own frequency replaces the operator's."""

    callee_frequency: Frequency | None = Field(
        None, description="What happens beyond `callee_windows`; none: as the operator says."
    )
    callee_windows: list[WindowText] = Field([], description="None: the operator's.")
    number_classes: list[NumberClass] | None = Field(
        None, description="Classes of numbers that may be called, of those that the operator lets be called."
    )
    daily_cap: Cap | None = Field(None, description="What its calls may cost in a day; none: the operator's.")
    low_balance: Price | None = Field(
        None, description="Below it a prepaid account is told; none: the operator's."
    )


class Filter:
    """Lists and hours, made ready to be applied to calls."""

    def __init__(self, rules: CallRules) -> None:
        self._callee_blacklist = NumberSet(rules.callee_blacklist)
        self._callee_whitelist = NumberSet(rules.callee_whitelist)
        self._caller_blacklist = NumberSet(rules.caller_blacklist)
        self._hours = Hours(rules.hours, rules.hours_zone)

    def check_caller(self, caller: PhoneNumber) -> None:
        """Raises CallerBlacklisted."""
        if caller.e164 in self._caller_blacklist:
            raise CallerBlacklisted("the caller is in a blacklist")

    def check_callee(self, callee: PhoneNumber) -> None:
        """Raises CalleeBlacklisted or CalleeNotWhitelisted."""
        if callee.e164 in self._callee_blacklist:
            raise CalleeBlacklisted("the callee is in a blacklist")
        if self._callee_whitelist and callee.e164 not in self._callee_whitelist:
            raise CalleeNotWhitelisted("the callee is not on the whitelist")

    def check_hour(self, now: datetime) -> None:
        """Raises OutsideHours."""
        wait = self._hours.opens_in(now)
        if wait:
            raise OutsideHours(wait)


@dataclass(frozen=True)
class AccountTerms:
    """An account as a request meets it."""

    active: bool = True
    max_calls: int | None = None
    calls_per_second: int | None = None
    rules: AccountRules = field(default_factory=AccountRules)
    filter: Filter = field(default_factory=lambda: Filter(CallRules()), compare=False, repr=False)


def terms_of(row: Account) -> AccountTerms:
    """What the row of an account says."""
    rules = AccountRules.model_validate(row.rules or {})
    return AccountTerms(row.active, row.max_calls, row.calls_per_second, rules, Filter(rules))


def rules_row(rules: AccountRules) -> dict[str, Any] | None:
    """What is kept of an account's rules: those that are not as without any."""
    return (
        rules.model_dump(mode="json", include=set(AccountRules.model_fields), exclude_defaults=True) or None
    )


def check_windows(operator: LimitSettings, account: AccountRules, keep_days: float) -> None:
    """Raise ValueError if calls are to be counted for longer than they are kept: they would be forgotten."""
    frequency = frequency_of(operator, account)
    for each in () if frequency is None else frequency.windows:
        if each.length > timedelta(days=keep_days):
            raise ValueError(
                f"{each} counts calls for longer than they are kept (details.keep_days, {keep_days:g})"
            )


def frequency_of(operator: LimitSettings, account: AccountRules) -> CountedFrequency | None:
    """How often one callee may be called; None: as often as one likes."""
    action = account.callee_frequency or operator.callee_frequency
    texts = account.callee_windows or operator.callee_windows
    if action == "off" or not texts:
        return None
    return CountedFrequency(tuple(window(text) for text in texts), refuse=action == "refuse")

"""Whether a call may be made, as far as that can be said without counting; and what is to be counted.

Both entrances ask here, so that both are under the same rules. The order of checks is documented in
docs/reference/limits.md.
"""

from collections.abc import Collection, Iterable
from typing import Protocol

from controller.accounts.dialling import DiallingPolicy, Verdict
from controller.accounts.directory import Application, Directory
from controller.accounts.errors import Abroad, NotDiallable, Party
from controller.accounts.rules import Filter, frequency_of
from controller.asterisk.simulated import is_simulated
from controller.clock import Clock
from controller.phone_number import PhoneNumber
from controller.rules.number_classes import NumberClass
from controller.settings import DiallingSettings, LimitSettings
from controller.store.limits import Limits


class PhoneBook(Protocol):
    """Phones in browsers: numbers that the platform keeps for its users."""

    def has(self, number: PhoneNumber) -> bool:
        """Whether the number is one of theirs, whether it is anybody's or not."""
        ...

    def may_be_called(self, number: PhoneNumber, account_id: str) -> bool:
        """Whether an account's calls may reach it."""
        ...


class Admission:
    """The operator's rules, and how they meet those of an account.

    Numbers that begin with `simulated_prefix` and those of `phones` may be dialled whatever the policy says:
    no trunk sees them. A phone is called by its user's own account alone.
    """

    def __init__(
        self,
        dialling: DiallingSettings,
        limits: LimitSettings,
        clock: Clock,
        simulated_prefix: str = "",
        phones: PhoneBook | None = None,
    ) -> None:
        self._policy = DiallingPolicy(
            dialling.allowed,
            dialling.forbidden,
            classes=dialling.classes,
            premium=dialling.premium,
            toll_fraud=dialling.toll_fraud,
        )
        self._limits = limits
        self._filter = Filter(limits)
        self._clock = clock
        self._simulated_prefix = simulated_prefix
        self._phones = phones

    def check_callee(self, callee: PhoneNumber) -> None:
        """Raise an AccountError unless the operator lets anybody at all call this number."""
        self._check_dialling(callee, Party.CALLEE)
        self._filter.check_callee(callee)

    def admit(
        self,
        directory: Directory,
        application: Application,
        caller: PhoneNumber | None,
        callee: PhoneNumber,
        shown: Iterable[PhoneNumber],
    ) -> Limits:
        """What limits the call. Raises an AccountError if it may not be made at all.

        :param caller: the first phone of a callback; other calls have only a callee.
        :param shown: the numbers that the phones will see.
        """
        account = directory.account(application)
        if caller is not None:
            self._check_phone(caller, Party.CALLER, application.account_id)
        self._check_phone(callee, Party.CALLEE, application.account_id)
        filters = (self._filter, account.filter)
        if caller is not None:
            self._check_dialling(caller, Party.CALLER, account.rules.number_classes)
        self._check_dialling(callee, Party.CALLEE, account.rules.number_classes)
        for rules in filters:
            if caller is not None:
                rules.check_caller(caller)
            rules.check_callee(callee)
        now = self._clock.now()
        for rules in filters:
            rules.check_hour(now)
        numbers = {number.e164: directory.numbers[number.e164].max_calls for number in shown}
        return Limits(
            app_calls=application.max_calls,
            account_calls=account.max_calls,
            number_calls={number: most for number, most in numbers.items() if most is not None},
            app_rate=application.calls_per_second or 0,
            account_rate=self._limits.account_calls_per_second
            if account.calls_per_second is None
            else account.calls_per_second,
            platform_rate=self._limits.calls_per_second,
            frequency=frequency_of(self._limits, account.rules),
        )

    def _check_phone(self, number: PhoneNumber, party: Party, account_id: str) -> None:
        phones = self._phones
        if phones is not None and phones.has(number) and not phones.may_be_called(number, account_id):
            raise NotDiallable(party)

    def _check_dialling(
        self, number: PhoneNumber, party: Party, classes: Collection[NumberClass] | None = None
    ) -> None:
        if self._simulated_prefix and is_simulated(number, self._simulated_prefix):
            return
        if self._phones is not None and self._phones.has(number):
            return
        match self._policy.judge(number, classes):
            case Verdict.ABROAD:
                raise Abroad(party)
            case Verdict.NOT_ALLOWED:
                raise NotDiallable(party)

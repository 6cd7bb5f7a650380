"""Why an application may not do what it asks for.

::

    AccountError
    ├── AppUnknown                no such application
    ├── AppInactive               the application is switched off
    ├── AccountInactive           the account is switched off
    │   └── AccountHeld           as nothing is left of its balance, or somebody stopped its calls
    ├── EverythingStopped         somebody stopped all calls of the platform
    ├── AddressNotAllowed         the application takes no requests from this address
    ├── WrongService              the application is for another service
    ├── DisplayNumberNotAllotted  the number to show is not the account's, or suspended without a substitute
    ├── SoundMissing              a sound file does not exist or is not approved
    ├── TemplateMissing           a voice template does not exist
    ├── TemplateNotApproved       a voice template was not approved
    ├── RecordingNotAllowed       the application does not record
    ├── NotDiallable              the operator's policy does not let the number be dialled
    │   └── Abroad                as it is in another country
    ├── CalleeBlacklisted         a list says that the callee is not called
    ├── CalleeNotWhitelisted      a list says who is called, and the callee is not in it
    ├── CallerBlacklisted         a list says that no callback is made for the caller
    └── OutsideHours              no calls are made at this time of day
"""

from datetime import timedelta
from enum import StrEnum


class Party(StrEnum):
    """Whose number it is: of a callback the first phone is the caller's, else there is a callee alone."""

    CALLER = "caller"
    CALLEE = "callee"


class AccountError(Exception):
    """Root of this room's errors."""


class AppUnknown(AccountError):
    """No such application."""


class AppInactive(AccountError):
    """The application is switched off."""


class AccountInactive(AccountError):
    """The account is switched off."""


class AccountHeld(AccountInactive):
    """Nothing is left of the account's balance, or somebody stopped its calls."""


class EverythingStopped(AccountError):
    """Somebody stopped all calls of the platform."""


class AddressNotAllowed(AccountError):
    """The application takes no requests from this address."""


class WrongService(AccountError):
    """The application is for another service."""


class DisplayNumberNotAllotted(AccountError):
    """The number to show does not belong to the account, or it is suspended and there is no substitute."""


class SoundMissing(AccountError):
    """A sound file does not exist or is not approved; `name` is the customer's name for it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} does not exist or is not approved")
        self.name = name


class TemplateMissing(AccountError):
    """A voice template does not exist."""


class TemplateNotApproved(AccountError):
    """A voice template was not approved."""


class RecordingNotAllowed(AccountError):
    """The application does not record."""


class NotDiallable(AccountError):
    """The operator's policy does not let a number be dialled."""

    def __init__(self, party: Party) -> None:
        super().__init__(f"the number of the {party} is not allowed to be called here")
        self.party = party


class Abroad(NotDiallable):
    """The number is in a country that the operator's policy does not speak of."""


class CalleeBlacklisted(AccountError):
    """A list says that the callee is not called."""


class CalleeNotWhitelisted(AccountError):
    """A list says who is called, and the callee is not in it."""


class CallerBlacklisted(AccountError):
    """A list says that no callback is made for the caller."""


class OutsideHours(AccountError):
    """No calls are made at this time of day; in `passes_in` they are again."""

    def __init__(self, passes_in: timedelta) -> None:
        super().__init__("no calls are made at this time of day")
        self.passes_in = passes_in

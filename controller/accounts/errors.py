"""Why an application may not do what it asks for.

::

    AccountError
    ├── AppUnknown                no such application
    ├── AppInactive               the application is switched off
    ├── WrongService              the application is for another service
    ├── DisplayNumberNotAllotted  the number to show is not the account's, or suspended without a substitute
    ├── SoundMissing              a sound file does not exist or is not approved
    ├── TemplateMissing           a voice template does not exist
    ├── TemplateNotApproved       a voice template was not approved
    └── RecordingNotAllowed       the application does not record
"""


class AccountError(Exception):
    """Root of this room's errors."""


class AppUnknown(AccountError):
    """No such application."""


class AppInactive(AccountError):
    """The application is switched off."""


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

"""What is wrong with a contact.

::

    ContactError
    ├── ContactUnknown     the account has no such contact
    └── TooManyContacts    the account has as many as it may have
"""


class ContactError(Exception):
    """Root of this room's errors."""


class ContactUnknown(ContactError):
    """The account has no such contact."""


class TooManyContacts(ContactError):
    """The account has as many contacts as it may have."""

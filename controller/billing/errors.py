"""What can be wrong with a wish about money.

::

    BillingError
    ├── AccountMissing   there is no such account
    ├── ReferenceUsed    another transaction has this reference
    ├── NotPostable      the amount or the text can't be posted
    ├── NoMonth          what was given is no month
    └── PriceInThePast   a price can't begin before now, as calls were made at the old one
"""


class BillingError(Exception):
    """Root of this room's errors; the text names what is wrong."""


class AccountMissing(BillingError):
    """There is no such account."""


class ReferenceUsed(BillingError):
    """Another transaction has this reference."""


class NotPostable(BillingError):
    """The amount or the text can't be posted."""


class NoMonth(BillingError):
    """What was given is no month."""


class PriceInThePast(BillingError):
    """A price can't begin before now, as calls were made at the old one."""

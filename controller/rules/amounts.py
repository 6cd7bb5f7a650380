"""Amounts of money: exact decimals with four places, of the one currency that the operator has set.

Four places, as prices for a minute have more than two (0.0065); kept as whole ten-thousandths, so that
every database adds them up exactly.
"""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

PLACES = 4
_LARGEST = Decimal(10) ** 11
_PATTERN = r"^-?[0-9]{1,11}(\.[0-9]{1,4})?$"
_TEXT = re.compile(_PATTERN)


def exact(amount: Decimal) -> Decimal:
    """`amount` itself, with four places.

    Raises ValueError if it has more, is no number, or is beyond 10^11.
    """
    if not amount.is_finite() or abs(amount) > _LARGEST:
        raise ValueError("must be an amount of at most 11 digits before its point")
    whole = amount.scaleb(PLACES)
    if whole != whole.to_integral_value():
        raise ValueError(f"must have at most {PLACES} places after its point")
    return from_units(int(whole))


def to_units(amount: Decimal) -> int:
    """Ten-thousandths. Raises ValueError as `exact` does."""
    return int(exact(amount).scaleb(PLACES))


def from_units(units: int) -> Decimal:
    """The amount of so many ten-thousandths."""
    return Decimal(units).scaleb(-PLACES)


def amount_text(amount: Decimal) -> str:
    """For people and files: two places, or as many as it takes."""
    text = f"{amount:.{PLACES}f}"
    return text[:-2] if text.endswith("00") else text.removesuffix("0")


def _read(value: object) -> Decimal:
    # A float has lost what an amount must not lose; whole numbers are texts like all others.
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a text, as in "0.18"')  # noqa: TRY004 - pydantic's way to say it
    if not _TEXT.fullmatch(value):
        raise ValueError(f"must be an amount with at most {PLACES} places after its point, as in 0.18")
    return Decimal(value)


def _not_negative(amount: Decimal) -> Decimal:
    if amount < 0:
        raise ValueError("must not be negative")
    return amount


def _positive(amount: Decimal) -> Decimal:
    if amount <= 0:
        raise ValueError("must be more than 0")
    return amount


_schema = WithJsonSchema({"type": "string", "pattern": _PATTERN})
Amount = Annotated[Decimal, BeforeValidator(_read), AfterValidator(exact), _schema]
"""Any amount, written as a text."""
Price = Annotated[Amount, AfterValidator(_not_negative)]
"""An amount that is not negative."""
Payment = Annotated[Amount, AfterValidator(_positive)]
"""An amount that is more than nothing."""

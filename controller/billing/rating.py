"""What a call costs. Pure.

Every started minute of every leg that was answered costs the price of a minute; a callback has two legs. The
times are those of the CDR that the customer gets, in whole seconds, so that everybody comes to the same
minutes. The price is that of the moment when the first leg was answered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from controller.rules.amounts import from_units

MINUTE = timedelta(seconds=60)


class _Times(msgspec.Struct):
    answered: datetime | None = None


class RecordedCall(msgspec.Struct):
    """What the bill needs of a call detail record, as it is stored."""

    account_id: str
    app_key: str
    service: str
    callee: str
    second_callee: str | None
    first_leg: _Times
    second_leg: _Times
    ended_at: datetime

    @property
    def legs(self) -> "Legs":
        first = {"a": (self.callee, self.first_leg.answered)}
        if self.second_callee is None:
            return first
        return {**first, "b": (self.second_callee, self.second_leg.answered)}


Legs = Mapping[str, tuple[str, datetime | None]]
"""Of each leg: the number that was called, and when it answered."""

decode_record = msgspec.json.Decoder(RecordedCall).decode
"""From the JSON of a stored record. Raises msgspec.DecodeError."""


@dataclass(frozen=True)
class Rating:
    """What a call comes to. `minutes` are the started ones of the legs that cost something."""

    legs: int
    seconds: int
    minutes: int
    minute_price: Decimal
    amount: Decimal


def started_minutes(answered: datetime, until: datetime, minute: timedelta = MINUTE) -> int:
    """Minutes that had begun; with the answer the first one begins."""
    seconds = until.replace(microsecond=0) - answered.replace(microsecond=0)
    return max(1, -(-seconds // minute))


def rate(
    legs: Legs,
    ended_at: datetime,
    price_at: Callable[[datetime], Decimal],
    is_free: Callable[[str], bool],
    minute: timedelta = MINUTE,
) -> Rating:
    """What these legs cost that ended at `ended_at`. Legs to numbers that are free cost nothing.

    :param price_at: price of a minute of one leg at a moment.
    """
    answered = [(number, at) for number, at in legs.values() if at is not None]
    if not answered:
        return Rating(0, 0, 0, from_units(0), from_units(0))
    price = price_at(min(at for _number, at in answered))
    minutes = sum(started_minutes(at, ended_at, minute) for number, at in answered if not is_free(number))
    seconds = sum(_whole_seconds(at, ended_at) for _number, at in answered)
    return Rating(len(answered), seconds, minutes, price, price * minutes)


def _whole_seconds(answered: datetime, ended_at: datetime) -> int:
    return max(0, (ended_at.replace(microsecond=0) - answered.replace(microsecond=0)) // timedelta(seconds=1))

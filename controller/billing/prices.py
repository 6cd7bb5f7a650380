"""Which price was in force when: of an account, else the platform's."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session

from controller.billing.errors import AccountMissing, BillingError, PriceInThePast
from controller.rules.amounts import from_units
from controller.store import ratings as rows
from controller.store.billing_tables import Price
from controller.store.directory import count_change
from controller.store.tables import Account

ZERO = from_units(0)


@dataclass(frozen=True)
class Tariff:
    """What is charged: each started minute of a leg, each number and month."""

    minute: Decimal
    number_month: Decimal


@dataclass(frozen=True)
class OwnTariff:
    """What is particular to an account; None: as the platform charges."""

    minute: Decimal | None = None
    number_month: Decimal | None = None


class PriceBook:
    """All prices that there were, are, and will be. Before the first one nothing is charged."""

    def __init__(self, prices: Iterable[Price] = ()) -> None:
        self._own: dict[str | None, tuple[list[datetime], list[OwnTariff]]] = defaultdict(lambda: ([], []))
        for price in sorted(prices, key=lambda price: price.valid_from):
            moments, tariffs = self._own[price.account_id]
            moments.append(price.valid_from)
            tariffs.append(OwnTariff(price.minute, price.number_month))

    @property
    def is_empty(self) -> bool:
        """Whether nothing ever cost anything."""
        return not self._own

    def own(self, account_id: str | None, at: datetime) -> OwnTariff:
        """What is particular to the account at a moment; None: what the platform charges."""
        found = self._own.get(account_id)
        if found is None:
            return OwnTariff()
        moments, tariffs = found
        index = bisect_right(moments, at)
        return tariffs[index - 1] if index else OwnTariff()

    def at(self, account_id: str, at: datetime) -> Tariff:
        """What an account is charged at a moment."""
        own, platform = self.own(account_id, at), self.own(None, at)
        return Tariff(_first(own.minute, platform.minute), _first(own.number_month, platform.number_month))


def _first(*prices: Decimal | None) -> Decimal:
    return next((price for price in prices if price is not None), ZERO)


def read_prices(session: Session) -> PriceBook:
    """The prices in the database."""
    return PriceBook(rows.prices(session))


def set_price(
    session: Session,
    account_id: str | None,
    tariff: OwnTariff,
    now: datetime,
    valid_from: datetime | None = None,
) -> bool:
    """Charge this from now or a later moment on; None as account: the platform. False if that is so already.

    Raises AccountMissing, PriceInThePast, BillingError.
    """
    begins = valid_from or now
    if begins < now:
        raise PriceInThePast("a price can't begin in the past: calls were made at the one before")
    if account_id is not None and session.get(Account, account_id) is None:
        raise AccountMissing(f"there is no account {account_id}")
    history = rows.prices(session)
    if PriceBook(history).own(account_id, begins) == tariff:
        return False
    if any(price.account_id == account_id and price.valid_from == begins for price in history):
        raise BillingError(f"another price begins at {begins.isoformat()} already")
    session.add(
        Price(
            account_id=account_id,
            valid_from=begins,
            minute=tariff.minute,
            number_month=tariff.number_month,
        )
    )
    session.flush()
    count_change(session)
    return True

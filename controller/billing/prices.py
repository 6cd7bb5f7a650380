"""Which price was in force when: of an account, else the platform's."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from sqlmodel import Session

from controller.billing.errors import AccountMissing, BillingError, PriceInThePast
from controller.rules.amounts import from_units
from controller.store import ratings as rows
from controller.store.billing_tables import Price
from controller.store.directory import count_change
from controller.store.tables import Account

ZERO = from_units(0)

Owner = TypeVar("Owner", str, str | None)


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
    return bool(_begin(session, {account_id: tariff}, begins))


def set_prices(session: Session, tariffs: Mapping[str, OwnTariff], now: datetime) -> dict[str, OwnTariff]:
    """Charge these accounts, which there are, this from now on.

    Returns what was charged before, of those of whom that was something else. Raises BillingError.
    """
    return _begin(session, tariffs, now)


def _begin(session: Session, tariffs: Mapping[Owner, OwnTariff], begins: datetime) -> dict[Owner, OwnTariff]:
    history = rows.prices(session)
    book, taken = PriceBook(history), {(price.account_id, price.valid_from) for price in history}
    before: dict[Owner, OwnTariff] = {}
    for account_id, tariff in tariffs.items():
        own = book.own(account_id, begins)
        if own == tariff:
            continue
        if (account_id, begins) in taken:
            raise BillingError(f"another price begins at {begins.isoformat()} already")
        before[account_id] = own
    rows.add_prices(
        session,
        [
            Price(
                account_id=account_id,
                valid_from=begins,
                minute=tariffs[account_id].minute,
                number_month=tariffs[account_id].number_month,
            )
            for account_id in before
        ],
    )
    if before:
        count_change(session)
    return before

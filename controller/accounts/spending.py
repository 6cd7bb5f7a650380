"""What accounts may spend, and whose calls must end, as declared now."""

from collections.abc import Iterable
from decimal import Decimal

from controller.accounts.directory import LiveDirectory
from controller.settings.limits import Cap
from controller.store.billing_tables import EVERYTHING


class SpendingTerms:
    """Asks the directory as it is now; an account without a cap of its own is under the operator's."""

    def __init__(self, directory: LiveDirectory, cap: Cap) -> None:
        self._directory = directory
        self._cap = cap

    @property
    def revision(self) -> int:
        return self._directory.now.revision

    def cap_of(self, account_id: str) -> Decimal | None:
        """What an account may spend in a day; None: anything."""
        account = self._directory.now.accounts.get(account_id)
        own = account.rules.daily_cap if account is not None else None
        cap = self._cap if own is None else own
        return None if cap == "none" else cap

    def must_end(self) -> Iterable[str | None]:
        """The accounts whose calls under way shall end; None: everybody's."""
        return [
            None if hold.scope == EVERYTHING else hold.scope
            for hold in self._directory.now.holds
            if hold.ends_calls
        ]

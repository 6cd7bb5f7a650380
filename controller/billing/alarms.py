"""Alarms: shares of the day's cap, many neighbouring numbers, an answer rate that collapses.

They are looked for now and then in what the meter has seen and in the calls written down; no call waits
for that.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from sqlmodel import Session

from controller.billing.spending import EndedCall, Spent
from controller.rules.amounts import amount_text
from controller.store.alarms import Raised, neighbourhoods

SHARES = (50, 80, 100)
"""Percent of the day's cap."""
_NEIGHBOURHOOD = 4
"""Digits at a number's end that neighbours don't share."""
_RECENTLY = timedelta(minutes=10)


def spending_alarms(
    spent: Mapping[str, Spent], caps: Mapping[str, Decimal], day: str, now: datetime
) -> list[Raised]:
    """What is to be said of the accounts that have spent a share of their cap."""
    found: list[Raised] = []
    for account_id, cap in caps.items():
        its = spent.get(account_id)
        if its is None:
            continue
        for share in SHARES:
            reached = its.total * 100 >= cap * share or (share == 100 and its.refused > 0)
            if reached and (its.total > 0 or its.refused):
                detail = {"percent": share, "spent": amount_text(its.total), "cap": amount_text(cap)}
                found.append(
                    Raised(account_id, "spending", f"spending:{account_id}:{day}:{share}", now, detail)
                )
    return found


def neighbour_alarms(session: Session, most: int, now: datetime) -> list[Raised]:
    """What is to be said of accounts that call many numbers which differ in their last digits alone."""
    return [
        Raised(
            account_id,
            "neighbours",
            f"neighbours:{account_id}:{beginning}:{now:%Y-%m-%dT%H}",
            now,
            {"beginning": beginning, "numbers": count, "minutes": int(_RECENTLY / timedelta(minutes=1))},
        )
        for account_id, beginning, count in neighbourhoods(session, now - _RECENTLY, _NEIGHBOURHOOD, most)
    ]


class AnswerRates:
    """Accounts whose calls are hardly answered any more."""

    def __init__(self, percent: int, calls: int) -> None:
        self._percent = percent
        self._calls = calls
        self._last: dict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=calls))

    def watch(self, ended: Iterable[EndedCall]) -> list[Raised]:
        """Take notice of calls that have ended; returns the alarms, one an hour for each account."""
        found: list[Raised] = []
        if not self._percent:
            return found
        for call in ended:
            last = self._last[call.account_id]
            last.append(call.answered)
            answered = sum(last)
            if len(last) == self._calls and answered * 100 < self._percent * self._calls:
                reference = f"answer rate:{call.account_id}:{call.at:%Y-%m-%dT%H}"
                detail = {"answered": answered, "calls": self._calls}
                found.append(Raised(call.account_id, "answer rate", reference, call.at, detail))
        return found

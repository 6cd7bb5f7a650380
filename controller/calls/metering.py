"""The seam to what counts the cost of calls: it is told of them, and asked before one is let in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from sqlmodel import Session

Legs = Mapping[str, tuple[str, datetime | None]]
"""Of each leg: the number that it calls, and when it answered."""


class Meter(Protocol):
    """Counts what calls cost, and lets in those that can be paid. Never waits."""

    def begin(self, call_id: str, account_id: str, legs: Legs) -> None:
        """Let a call in. Raises store.errors.LimitReached."""
        ...

    def check(self, session: Session, account_id: str) -> None:
        """In the transaction that accepts a call, before anything is written: what other controllers' calls
        cost counts too. Raises store.errors.LimitReached.
        """
        ...

    def book(self, session: Session, account_id: str) -> None:
        """In the same transaction: the others see what the call may cost."""
        ...

    def go_on(self, call_id: str, account_id: str, legs: Legs) -> None:
        """A call that was let in by a controller before."""
        ...

    def forget(self, call_id: str) -> None:
        """The call is not made after all."""
        ...

    def answered(self, call_id: str, leg: str, at: datetime) -> None:
        """A leg's minutes begin."""
        ...

    def ended(self, call_id: str, account_id: str, legs: Legs, at: datetime) -> None:
        """The call is over, also one that was never let in here."""
        ...


class NoMeter:
    """Calls cost nothing."""

    def begin(self, call_id: str, account_id: str, legs: Legs) -> None: ...

    def check(self, session: Session, account_id: str) -> None: ...

    def book(self, session: Session, account_id: str) -> None: ...

    def go_on(self, call_id: str, account_id: str, legs: Legs) -> None: ...

    def forget(self, call_id: str) -> None: ...

    def answered(self, call_id: str, leg: str, at: datetime) -> None: ...

    def ended(self, call_id: str, account_id: str, legs: Legs, at: datetime) -> None: ...

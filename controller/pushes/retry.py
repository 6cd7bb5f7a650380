"""When a CDR push is tried again: a decision, not a loop."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class RetrySchedule:
    """The cloud's: 1 + 6 attempts, one hour apart."""

    attempts: int
    interval: timedelta

    def next_attempt(self, failed_attempts: int, now: datetime) -> datetime | None:
        """When to try again after so many failed attempts; None: never."""
        return now + self.interval if failed_attempts < self.attempts else None

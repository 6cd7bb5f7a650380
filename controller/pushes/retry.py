"""When a push is tried again: a decision, not a loop."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from controller.pushes.receiver import Delivery, Failure
from controller.store.tables import PushProfile

DURABLE_PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""Between ten attempts, about three days. Source: Standard Webhooks 1.0.0."""

JITTER = 0.1
"""A pause is longer by this part of itself at most, so that calls that failed together come apart."""

_GONE, _OVERLOADED = 410, (429, 503)
_LONGEST_WISH = timedelta(hours=24)
"""For which a receiver can ask to be left alone."""


@dataclass(frozen=True)
class Again:
    """Another attempt, then."""

    at: datetime


@dataclass(frozen=True)
class GiveUp:
    """No other attempt."""

    why: str


Decision = Again | GiveUp


@dataclass(frozen=True)
class RetryPolicy:
    """Of both profiles: `attempts` an `interval` apart are the cloud's; the durable one has its pauses."""

    attempts: int
    interval: timedelta
    random: Random

    def after(self, profile: PushProfile, failed: int, delivery: Delivery, now: datetime) -> Decision:
        """What follows the `failed`th failure in a row, which was this one."""
        if delivery.failure is Failure.DISABLED:
            return GiveUp("the endpoint is disabled")
        if profile is PushProfile.DURABLE:
            return durable(failed, delivery, now, self.random)
        return Again(now + self.interval) if failed < self.attempts else GiveUp("the last attempt failed")


def durable(failed: int, delivery: Delivery, now: datetime, random: Random) -> Decision:
    """The decision of the durable profile after `failed` failures in a row."""
    if delivery.status == _GONE:
        return GiveUp("the receiver is gone for good (410)")
    if failed > len(DURABLE_PAUSES):
        return GiveUp("the last attempt failed")
    pause = DURABLE_PAUSES[failed - 1] * (1 + JITTER * random.random())
    if delivery.status in _OVERLOADED and delivery.retry_after is not None:
        pause = max(pause, min(timedelta(seconds=delivery.retry_after), _LONGEST_WISH))
    return Again(now + pause)

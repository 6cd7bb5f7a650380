"""When a push is tried again: tables of decisions."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from controller.pushes.receiver import Delivery, Failure
from controller.pushes.retry import DURABLE_PAUSES, Again, Decision, GiveUp, RetryPolicy, durable
from controller.store.tables import PushProfile

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
TIMEOUT = Delivery(None, Failure.TIMEOUT)


class NoJitter(Random):
    def random(self) -> float:
        return 0.0


class FullJitter(Random):
    def random(self) -> float:
        return 1.0


def answered(status: int, retry_after: float | None = None) -> Delivery:
    return Delivery(status, Failure.HTTP, retry_after=retry_after)


def pause(decision: Decision) -> float | None:
    return (decision.at - NOW).total_seconds() if isinstance(decision, Again) else None


@pytest.mark.requirement("B2")
@pytest.mark.parametrize(("failed", "again"), [(1, True), (6, True), (7, False), (8, False)])
def test_B2_given_the_clouds_schedule_when_attempts_fail_then_six_more_an_hour_apart(
    failed: int, again: bool
) -> None:
    policy = RetryPolicy(7, timedelta(hours=1), Random(1))

    for delivery in (TIMEOUT, answered(500), answered(410), answered(503, 7200)):
        decision = policy.after(PushProfile.COMPAT, failed, delivery, NOW)
        assert pause(decision) == (3600 if again else None)


@pytest.mark.parametrize(
    ("failed", "seconds"),
    [
        (1, 5),
        (2, 300),
        (3, 1800),
        (4, 2 * 3600),
        (5, 5 * 3600),
        (6, 10 * 3600),
        (7, 14 * 3600),
        (8, 20 * 3600),
        (9, 24 * 3600),
        (10, None),
        (11, None),
    ],
)
def test_given_the_durable_profile_when_attempts_fail_then_the_schedule_of_standard_webhooks(
    failed: int, seconds: float | None
) -> None:
    policy = RetryPolicy(7, timedelta(hours=1), NoJitter())

    assert pause(policy.after(PushProfile.DURABLE, failed, TIMEOUT, NOW)) == seconds


@pytest.mark.parametrize(
    ("delivery", "failed", "seconds"),
    [
        (answered(500), 1, 5),
        (answered(404), 1, 5),
        (answered(301), 1, 5),
        (answered(410), 1, None),
        (answered(410), 5, None),
        (answered(429, 60), 1, 60),
        (answered(503, 60), 1, 60),
        (answered(503, 60), 2, 300),
        (answered(429, 0), 1, 5),
        (answered(429), 1, 5),
        (answered(503, 1e9), 1, 24 * 3600),
        (answered(500, 60), 1, 5),
        (answered(503, 60), 10, None),
        (Delivery(None, Failure.BUSY), 1, 5),
        (Delivery(None, Failure.ADDRESS), 1, 5),
    ],
)
def test_given_the_durable_profile_when_a_push_fails_then_the_receivers_wish_counts(
    delivery: Delivery, failed: int, seconds: float | None
) -> None:
    assert pause(durable(failed, delivery, NOW, NoJitter())) == seconds


@pytest.mark.parametrize("failed", range(1, 10))
def test_given_jitter_when_decided_then_a_pause_is_longer_by_a_tenth_at_most(failed: int) -> None:
    longest = pause(durable(failed, TIMEOUT, NOW, FullJitter()))

    assert longest == pytest.approx(DURABLE_PAUSES[failed - 1].total_seconds() * 1.1)


def test_given_the_same_seed_when_decided_then_the_same_decision() -> None:
    assert durable(3, TIMEOUT, NOW, Random(7)) == durable(3, TIMEOUT, NOW, Random(7))


@pytest.mark.parametrize("profile", PushProfile)
def test_given_a_disabled_endpoint_when_decided_then_no_other_attempt(profile: PushProfile) -> None:
    policy = RetryPolicy(7, timedelta(hours=1), Random(1))

    decision = policy.after(profile, 1, Delivery(None, Failure.DISABLED), NOW)

    assert decision == GiveUp("the endpoint is disabled")

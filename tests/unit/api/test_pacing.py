"""Who waits for whose refusals, on a clock that is moved by hand."""

import pytest

from controller.api.pacing import BURST, LONGEST_WAIT, SOURCE_SHARE, TOTAL_SHARE, Pacer, Turn

COST = 0.0005
FLOODER, CUSTOMER, STRANGER = "192.0.2.1", "198.51.100.1", "203.0.113.1"


class House:
    """A pacer, and time that only passes when it is told to."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.pacer = Pacer(lambda: self.time)

    def refuse(self, address: str, app: str | None = None, claim: str | None = None) -> Turn | None:
        """A request that is refused, if it is let in; after the wait that it is given."""
        if self.pacer.is_clear(address):
            self.pacer.refused(address, app, COST, None)
            return Turn(0.0, "", (), 0.0)
        turn = self.pacer.enter(address, claim or app or "")
        if turn is not None:
            self.pacer.refused(address, app, COST, turn)
        return turn

    def flood(self, address: str, app: str | None = None, seconds: float = BURST) -> None:
        """So many refusals that they have taken so much of the loop's time, all at once."""
        for _ in range(round(seconds / COST) + 1):
            self.pacer.refused(address, app, COST, None)

    def flood_from_everywhere(self, requests_each: int = 1) -> None:
        """Refusals of ever new addresses, until the share of all of them is used up."""
        for number in range(round((BURST + TOTAL_SHARE) / COST / requests_each)):
            for _ in range(requests_each):
                self.pacer.refused(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", None, COST, None)

    def delay(self, address: str, claim: str = "") -> float | None:
        """Seconds that a request would wait; None: it would be turned away."""
        if self.pacer.is_clear(address):
            return 0.0
        turn = self.pacer.enter(address, claim)
        self.pacer.release(turn)
        return None if turn is None else turn.delay


@pytest.mark.requirement("A4.5")
def test_A4_5_given_a_source_with_some_refusals_when_it_goes_on_for_an_hour_then_it_never_waits() -> None:
    house = House()
    delays = []
    for _ in range(3600):
        house.time += 1
        delays += [house.refuse(CUSTOMER, "app") for _ in range(10)]

    assert all(turn is not None and turn.delay == 0 for turn in delays)


def test_given_hundreds_of_refusals_at_once_when_a_source_had_none_before_then_none_waits() -> None:
    house = House()

    turns = [house.refuse(CUSTOMER, "app") for _ in range(round(BURST / COST))]

    assert all(turn is not None and turn.delay == 0 for turn in turns)


def test_given_a_source_that_floods_when_it_is_counted_then_its_share_of_the_loop_is_what_it_may_have() -> (
    None
):
    house = House()
    house.flood(FLOODER, "app")
    served, seconds, rate = 0, 60, 2000
    for _ in range(seconds * rate):
        house.time += 1 / rate
        served += house.refuse(FLOODER, "app") is not None

    assert served * COST == pytest.approx(SOURCE_SHARE * seconds, rel=0.1)
    assert house.pacer.turned_away == seconds * rate - served
    assert house.pacer.late > 0


def test_given_a_source_above_its_share_when_requests_come_then_each_waits_longer_than_the_last() -> None:
    house = House()
    house.flood(FLOODER, "app")

    delays = []
    while (turn := house.pacer.enter(FLOODER, "app")) is not None:
        delays.append(turn.delay)

    assert delays == sorted(delays)
    assert 0 < delays[0] < 0.1
    assert delays[-1] == pytest.approx(LONGEST_WAIT, abs=0.05)


def test_given_a_waiting_request_when_it_was_right_or_its_sender_left_then_it_costs_its_source_nothing() -> (
    None
):
    house = House()
    house.flood(FLOODER, "app")
    turn = house.pacer.enter(FLOODER, "app")
    assert turn is not None
    after = house.delay(FLOODER, "app")

    house.pacer.accepted(FLOODER, turn)

    assert after is not None
    assert house.delay(FLOODER, "app") == pytest.approx(turn.delay)
    assert after > turn.delay


def test_given_an_app_that_floods_when_another_calls_from_the_same_address_then_it_does_not_wait() -> None:
    house = House()
    house.pacer.accepted(FLOODER, None)

    house.flood(FLOODER, "bad app", 10 * BURST)

    assert house.delay(FLOODER, "bad app") is None
    assert house.delay(FLOODER, "good app") == 0


def test_given_an_app_that_floods_under_other_names_when_judged_then_its_address_waits() -> None:
    house = House()
    house.flood(FLOODER, "bad app")

    for number in range(1000):
        turn = house.pacer.enter(FLOODER, f"name {number}")
        if turn is not None:
            house.pacer.refused(FLOODER, "bad app", COST, turn)

    assert house.delay(FLOODER, "another name") != 0


def test_given_an_address_that_proves_nothing_when_it_floods_then_each_of_its_apps_waits_with_it() -> None:
    house = House()

    house.flood(FLOODER, None, 10 * BURST)

    assert house.delay(FLOODER, "any app") is None


def test_given_a_flood_from_everywhere_when_a_customer_calls_who_called_before_then_nobody_waits() -> None:
    house = House()
    house.pacer.accepted(CUSTOMER, None)

    house.flood_from_everywhere()

    assert house.delay(CUSTOMER, "app") == 0
    assert house.delay(STRANGER, "app") != 0


def test_given_a_flood_from_addresses_that_come_again_when_a_stranger_calls_then_they_do_not_wait() -> None:
    house = House()

    house.flood_from_everywhere(requests_each=50)

    assert house.delay("10.0.0.1") != 0
    assert house.delay(STRANGER) == 0


def test_given_a_flood_that_is_over_when_seconds_have_passed_then_its_source_is_as_good_as_any() -> None:
    house = House()
    house.flood(FLOODER, "app", 100.0)

    house.time += BURST / SOURCE_SHARE + 2 * LONGEST_WAIT + 0.1

    assert house.pacer.is_clear(FLOODER)


def test_given_addresses_of_one_ipv6_network_when_one_floods_then_they_wait_together() -> None:
    house = House()

    house.flood("2001:db8::1", None, 10 * BURST)

    assert house.delay("2001:db8::2") is None
    assert house.delay("2001:db8:0:1::1") == 0

"""The ids of calls: readable, unique, in the order of time."""

from datetime import timedelta
from random import Random

from unit.calls.support import HOST, SteadyClock

from controller.calls.call import Identities
from controller.store.tables import Service


def test_given_identities_when_asked_for_then_each_is_readable_unique_and_the_same_for_the_same_seed() -> (
    None
):
    first, second = (Identities(HOST, SteadyClock(), Random(1)) for _ in range(2))
    given = [first.next(Service.NOTIFICATION) for _ in range(100)]
    assert given == [second.next(Service.NOTIFICATION) for _ in range(100)]
    assert len(set(given)) == 100 and given == sorted(given)
    for call_id, session_id in given:
        service, number, salt, moment = call_id.split("_")
        assert (service, moment) == ("1200", "20261123080000")
        assert number.isdigit()
        assert salt.isdigit()
        assert session_id == f"{call_id}@{HOST}"
        assert len(call_id) <= 64


def test_given_a_clock_that_goes_back_when_identities_are_asked_for_then_they_come_in_order() -> None:
    clock = SteadyClock()
    identities = Identities(HOST, clock, Random(1))
    given = []
    for _ in range(3):
        given += [identities.next(Service.NOTIFICATION) for _ in range(5)]
        clock.pass_(-timedelta(milliseconds=8))
    assert given == sorted(set(given))

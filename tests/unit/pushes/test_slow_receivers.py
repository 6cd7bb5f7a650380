"""What receivers that hang, are slow or come back get of calls like the cloud's: all, once, in order."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from unit.calls.support import call_request
from unit.pushes.support import FAILS, Room, room

from controller.calls.call import LiveCall
from controller.calls.timeline import Entry, Kind
from controller.pushes.durable import DurableStatuses
from controller.pushes.receiver import Delivery
from controller.pushes.status import StatusPushes
from controller.settings import PushSettings
from controller.store.database import Database

TIMEOUT = 5.0
NEVER = 1e9
EVENTS = (Kind.CALLOUT, Kind.ALERTING, Kind.ANSWER, Kind.DISCONNECT)
_END = {"state_code": 0, "text": "over", "cut_point": 0, "party": None}
pytestmark = [pytest.mark.virtual_time, pytest.mark.requirement("B1")]


class Receivers:
    """A sender to receivers that take as long as they are told: each time once, the last one always."""

    def __init__(self, **seconds: list[float]) -> None:
        self._seconds = seconds
        self._began = asyncio.get_running_loop().time()
        self.came: list[tuple[str, str, int, float]] = []
        """Receiver, call, X-Call-Sequence, and when the push came."""

    @property
    def now(self) -> float:
        return round(asyncio.get_running_loop().time() - self._began, 2)

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Delivery:
        name, call = url.split("/")[3:]
        self.came.append((name, call, int(headers["X-Call-Sequence"]), self.now))
        plan = self._seconds[name]
        takes = plan.pop(0) if len(plan) > 1 else plan[0]
        await asyncio.sleep(min(takes, TIMEOUT))
        return Delivery(200) if takes < TIMEOUT else FAILS

    def told(self, name: str) -> list[tuple[int, float]]:
        return [(number, at) for receiver, _, number, at in self.came if receiver == name]


@asynccontextmanager
async def statuses(
    database: Database, receivers: Receivers, **settings: Any
) -> AsyncIterator[tuple[StatusPushes, Room]]:
    async with room(database, receivers, **settings) as place:
        # No call here is durable.
        pushes = StatusPushes(place.courier, cast(DurableStatuses, None))
        yield pushes, place
        if pushes._tasks:
            await asyncio.wait(pushes._tasks)


_numbers = itertools.count()


def tell_all(pushes: StatusPushes, place: Room, receiver: str) -> None:
    """Everything happens in a call at one moment."""
    number = next(_numbers)
    request = call_request(status_url=f"http://gateway.test/{receiver}/{number}")
    call = LiveCall(f"call{number}", f"call{number}@host", request, place.clock, pushes.tell)
    call.timeline.add(Entry(0, place.clock.now(), Kind.ACCEPTED))
    for kind in EVENTS:
        call.tell(kind, "a", _END if kind is Kind.DISCONNECT else None)


@pytest.mark.parametrize(
    ("takes", "expected"),
    [
        ([0.0], [0, 0, 0, 0]),
        ([2.0], [0, 2, 4, 6]),
        ([NEVER], [0, 5, 10, 15]),
        ([NEVER, 0.0, NEVER, 0.0], [0, 5, 5, 10]),
        ([6.0], [0, 5, 10, 15]),
    ],
    ids=["works", "takes 2 s", "hangs", "hangs half the time", "answers too late"],
)
async def test_B1_given_a_receiver_when_a_call_is_told_then_the_next_goes_when_one_was_answered_or_timed_out(
    database: Database, takes: list[float], expected: list[float]
) -> None:
    receivers = Receivers(it=takes)
    async with statuses(database, receivers) as (pushes, place):
        tell_all(pushes, place, "it")

    assert receivers.told("it") == list(enumerate(expected))


async def test_B1_given_one_receiver_behind_a_gateway_hangs_when_others_are_told_then_they_are_at_once(
    database: Database,
) -> None:
    receivers = Receivers(hangs=[NEVER], works=[0.0])
    async with statuses(database, receivers) as (pushes, place):
        for _ in range(40):
            tell_all(pushes, place, "hangs")
        for _ in range(3):
            await asyncio.sleep(4)
            tell_all(pushes, place, "works")

    assert sorted({at for _, at in receivers.told("works")}) == [4, 8, 12]
    assert len(receivers.told("works")) == 12
    hung = receivers.told("hangs")
    assert sorted(hung) == sorted((number, 5 * number) for number in range(4) for _ in range(40))


async def test_B1_given_more_calls_than_connections_when_a_receiver_comes_back_then_all_is_told_once_in_order(
    database: Database,
) -> None:
    """The first pushes under way time out; whoever waited for their turn is told then."""
    width = 20
    receivers = Receivers(it=[NEVER] * width + [0.0])
    async with statuses(database, receivers, connections_per_receiver=width) as (pushes, place):
        for _ in range(3 * width):
            tell_all(pushes, place, "it")

    told = receivers.told("it")
    by_call: dict[str, list[int]] = {}
    for _, call, number, _ in receivers.came:
        by_call.setdefault(call, []).append(number)
    assert list(by_call.values()) == [[0, 1, 2, 3]] * 3 * width
    assert [at for _, at in told[:width]] == [0] * width
    assert {at for _, at in told[width:]} == {TIMEOUT}
    assert PushSettings().timeout == TIMEOUT

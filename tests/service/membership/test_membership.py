"""Controllers that share a PostgreSQL: signs of life, takeovers, the fence, and what they count together."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from threading import Event
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from engine import copy_database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from service.membership.support import NOW, Clock, Group, call, owners
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from unit.calls.support import ACCOUNT, APP

from controller.billing.calendar import Calendar
from controller.billing.prices import PriceBook
from controller.billing.spending import Spending
from controller.membership.membership import BEAT, GONE
from controller.rules.amounts import from_units
from controller.store import controllers, spent
from controller.store.billing_tables import Price
from controller.store.controllers import Estate
from controller.store.database import Database
from controller.store.errors import DatabaseUnusable, Fenced, LimitReached
from controller.store.tables import CdrPush
from controller.succession import going_on

pytestmark = [pytest.mark.requirement("E2"), pytest.mark.engine("postgresql")]

TAKEN_OVER = 10.0
"""Seconds in which what a controller that is gone had must be another's."""


async def test_E2_given_a_controller_that_falls_silent_when_seen_then_another_has_its_calls_in_ten_seconds(
    group: Group,
) -> None:
    a, b = await group.member("a"), await group.member("b")
    await a.database.write(lambda session: call(session, "live", "a"))
    await a.database.write(lambda session: call(session, "over", "a", ended=True))
    a.live()
    b.live()
    came = b.watch()
    await asyncio.sleep(2 * BEAT)
    assert b.estates == []

    loop = asyncio.get_running_loop()
    await a.stop()
    silent = loop.time()
    await asyncio.wait_for(came.wait(), 25)
    took = loop.time() - silent

    # In ten seconds, and not before it has been silent for long enough.
    assert GONE - 2 * BEAT < took < TAKEN_OVER
    (estate,) = b.estates
    assert (estate.name, estate.application, estate.live) == ("a", "voicecall-a", ("live",))
    assert await b.database.read(owners) == {"live": "b", "over": "a"}


async def test_E2_given_an_estate_that_is_still_gone_on_with_when_another_leaves_then_it_is_taken_over_too(
    group: Group,
) -> None:
    a, b, c = [await group.member(name) for name in "abc"]
    await a.database.write(lambda session: call(session, "of-a", "a"))
    await c.database.write(lambda session: call(session, "of-c", "c"))
    begun: asyncio.Queue[str] = asyncio.Queue()

    async def never_done(estate: Estate) -> None:
        begun.put_nowait(estate.name)
        await asyncio.Event().wait()

    async with going_on(never_done) as inherit:
        b.tasks.append(asyncio.create_task(b.membership.watch(inherit)))
        for member in (a, c):
            await member.membership.leave()
            assert await asyncio.wait_for(begun.get(), GONE) == member.membership.name
    assert await b.database.read(owners) == {"of-a": "b", "of-c": "b"}


async def test_E2_given_a_controller_that_was_taken_over_when_it_writes_then_nothing_is_and_it_knows(
    group: Group,
) -> None:
    a, b = await group.member("a"), await group.member("b")
    (seen,) = await b.database.read(lambda session: controllers.pulses(session, "b"))
    assert await b.database.write(lambda session: controllers.take_over(session, seen, "b", NOW)) is not None

    with pytest.raises(Fenced):
        await a.database.write(lambda session: call(session, "late", "a"))

    assert len(a.fenced) == 1
    assert await b.database.read(owners) == {}
    assert b.fenced == []


async def test_E2_given_a_controller_that_lives_when_two_would_take_over_at_once_then_nobody_or_one_does(
    group: Group,
) -> None:
    a, b, c = [await group.member(name) for name in "abc"]
    seen = await b.database.read(lambda session: controllers.pulses(session, "b"))
    of_a = next(pulse for pulse in seen if pulse.name == "a")

    def take(name: str) -> object:
        return lambda session: controllers.take_over(session, of_a, name, NOW)

    both = await asyncio.gather(b.database.write(take("b")), c.database.write(take("c")))
    again = await group.member("a")
    alive = await b.database.read(lambda session: controllers.pulses(session, "b"))
    of_a = next(pulse for pulse in alive if pulse.name == "a")
    await again.database.write(lambda session: controllers.beat(session, "a", NOW))

    assert sorted(estate is None for estate in both) == [False, True]
    assert await b.database.write(take("b")) is None
    with pytest.raises(Fenced):
        await a.database.write(lambda _session: None)


async def test_E2_given_a_controller_that_lives_when_another_is_started_under_its_name_then_it_is_refused(
    group: Group,
) -> None:
    a = await group.member("a")
    a.live()

    with pytest.raises(DatabaseUnusable, match="a controller called a is running"):
        await group.member("a")

    await a.database.write(lambda session: call(session, "mine", "a"))
    assert a.fenced == []


async def test_E2_given_a_controller_that_ends_by_itself_when_others_look_then_they_have_its_outbox_at_once(
    group: Group,
) -> None:
    a, b = await group.member("a"), await group.member("b")

    def work(session: Session) -> None:
        call(session, "over", "a", ended=True)
        session.connection().execute(
            text("INSERT INTO cdr (call_id, app_key, ended_at, record) VALUES ('over', 'app', now(), '{}')")
        )
        session.add(CdrPush(call_id="over", app_key=APP, url="u", ended_at=NOW, attempts=0, due_at=NOW))

    await a.database.write(work)
    await a.membership.leave()
    await asyncio.wait_for(b.watch().wait(), GONE - BEAT)

    assert await b.database.read(owners) == {"over": "b"}


async def test_E2_given_a_connection_that_breaks_when_a_takeover_is_committed_then_it_is_gone_on_with(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = await group.member("a"), await group.member("b")
    await a.database.write(lambda session: call(session, "live", "a"))
    await a.membership.leave()
    write, away = b.database.write, [False, True, True]

    async def unheard(work: Any, **more: Any) -> Any:
        if not away:
            return await write(work, **more)
        if away.pop(0):
            raise OperationalError("BEGIN", None, Exception("the server is starting up"))
        await write(work, **more)
        raise OperationalError("COMMIT", None, Exception("server closed the connection"))

    monkeypatch.setattr(b.database, "write", unheard)
    await asyncio.wait_for(b.watch().wait(), 25)

    assert [(estate.name, estate.live) for estate in b.estates] == [("a", ("live",))]
    assert away == []


@pytest.mark.parametrize("heard", [True, False], ids=["heard", "unheard"])
async def test_E2_given_a_controller_that_is_back_just_as_it_was_taken_over_when_gone_on_then_with_its_calls(
    group: Group, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    a, b = await group.member("a"), await group.member("b")
    await a.database.write(lambda session: call(session, "live", "a"))
    await a.membership.leave()
    write = b.database.write

    async def before_it_is_back(work: Any, **more: Any) -> Any:
        monkeypatch.setattr(b.database, "write", write)
        estate = await write(work, **more)
        await group.member("a")
        if not heard:
            raise OperationalError("COMMIT", None, Exception("server closed the connection"))
        return estate

    monkeypatch.setattr(b.database, "write", before_it_is_back)
    await asyncio.wait_for(b.watch().wait(), 15)

    assert [(estate.name, estate.live) for estate in b.estates] == [("a", ("live",))]
    assert await b.database.read(owners) == {"live": "b"}


async def test_E2_given_a_takeover_that_is_not_committed_when_tried_again_then_there_is_one_estate(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = await group.member("a"), await group.member("b")
    await a.database.write(lambda session: call(session, "live", "a"))
    await a.membership.leave()
    write, broken = b.database.write, [1]

    async def lost(work: Any, **more: Any) -> Any:
        def undone(session: Session) -> None:
            work(session)
            raise OperationalError("COMMIT", None, Exception("server closed the connection"))

        if broken[0]:
            broken[0] -= 1
            return await write(undone, **more)
        return await write(work, **more)

    monkeypatch.setattr(b.database, "write", lost)
    await asyncio.wait_for(b.watch().wait(), 25)

    assert [(estate.name, estate.live) for estate in b.estates] == [("a", ("live",))]
    assert broken == [0]


def _asks(session: Session) -> None:
    session.execute(text("SELECT 1"))


def _asks_as_for_each_call(session: Session) -> None:
    controllers.epoch_of(session, "a")


def _asks_after_a_row(session: Session) -> None:
    spent.note(session, "a", "2026-11-24", {ACCOUNT: (from_units(1), from_units(0))})
    _asks(session)


def _writes(session: Session) -> None:
    spent.note(session, "a", "2026-11-24", {ACCOUNT: (from_units(1), from_units(0))})


@pytest.mark.parametrize("did", [_asks, _asks_as_for_each_call, _asks_after_a_row, _writes])
async def test_E2_given_a_process_that_is_paused_in_a_transaction_when_another_writes_then_it_soon_can(
    group: Group, did: Callable[[Session], None]
) -> None:
    a, b = await group.member("a"), await group.member("b")
    begun = Event()

    def hang(session: Session) -> None:
        did(session)
        begun.set()
        time.sleep(5.5)
        session.execute(text("SELECT 1"))

    stuck = asyncio.create_task(a.database.write(hang))
    await asyncio.to_thread(begun.wait, 5)
    loop = asyncio.get_running_loop()
    began = loop.time()

    await b.database.write(lambda session: call(session, "mine", "b"))

    assert loop.time() - began < 5
    with pytest.raises(Exception, match=r"idle|closed|terminat"):
        await stuck


async def test_E2_given_a_process_that_is_paused_while_it_sends_when_another_writes_then_it_soon_can(
    group: Group,
) -> None:
    """The server waits for the rest of what goes together: to it that is no idle transaction."""
    a, b = await group.member("a"), await group.member("b")
    begun, over = Event(), Event()

    def hang(session: Session) -> None:
        driver: Any = session.connection().connection.driver_connection
        with driver.pipeline():
            driver.execute("SELECT 1")
            begun.set()
            over.wait(20)

    stuck = asyncio.create_task(a.database.write(hang))
    await asyncio.to_thread(begun.wait, 5)
    loop = asyncio.get_running_loop()
    began = loop.time()

    await b.database.write(lambda session: call(session, "mine", "b"))
    waited = loop.time() - began
    over.set()

    assert waited < 8
    with pytest.raises(Exception, match=r"lost|closed|terminat"):
        await stuck


def checked_and_booked(meter: Spending) -> Callable[[Session], None]:
    """As in the transaction that accepts a call."""

    def work(session: Session) -> None:
        meter.check(session, ACCOUNT)
        meter.book(session, ACCOUNT)

    return work


class Terms:
    """A cap of ten calls of a minute."""

    revision = 1

    def cap_of(self, account_id: str) -> Decimal | None:
        del account_id
        return from_units(10_000)

    def must_end(self) -> tuple[str, ...]:
        return ()


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wishes=st.lists(st.booleans(), min_size=8, max_size=24))
def test_E2_given_a_cap_when_two_controllers_let_calls_in_at_once_then_never_over_and_never_leaked(
    template: Path, tmp_path: Path, wishes: list[bool]
) -> None:
    url = copy_database(template, tmp_path / "cap.db")

    async def let_in(meter: Spending, database: Database, call_id: str) -> bool:
        try:
            meter.begin(call_id, ACCOUNT, {"a": ("+861", None)})
        except LimitReached:
            return False
        try:
            await database.write(checked_and_booked(meter))
        except LimitReached:
            meter.forget(call_id)
            return False
        return True

    async def run() -> tuple[int, int]:
        async with Database(url) as one, Database(url) as other:
            places = [(meter("a"), one), (meter("b"), other)]
            at_once = await asyncio.gather(
                *(let_in(*places[here], f"c{index}") for index, here in enumerate(wishes))
            )
            for at, database in (*places, *places):
                at.others_spent(await database.write(at.exchange))
            later = [await let_in(*places[index % 2], f"d{index}") for index in range(20)]
            return sum(at_once), sum(later)

    at_once, later = asyncio.run(run())

    assert at_once <= MOST
    assert at_once + later == MOST


MOST = 10


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=st.lists(st.integers(0, 5), min_size=2, max_size=3), order=st.randoms(use_true_random=False))
def test_E2_given_minutes_that_begin_at_several_controllers_at_once_when_counted_then_never_over_the_cap(
    template: Path, tmp_path: Path, calls: list[int], order: Random
) -> None:
    url = copy_database(template, tmp_path / "minutes.db")
    clock = Clock()
    meters = [meter(name, clock) for name, _count in zip("abc", calls, strict=False)]
    left = MOST

    async def look(at: Spending, database: Database) -> None:
        """As the room of billing does it once a second."""
        cut = at.overdrawn()
        at.others_spent(await database.write(at.exchange))
        for call_id in [*cut, *at.taken_back()]:
            at.ended(call_id, ACCOUNT, {"a": ("+861", None)}, clock.now())

    async def run() -> None:
        nonlocal left
        async with Database(url) as database:
            for at, count in zip(meters, calls, strict=True):
                for number in range(min(count, left)):
                    at.begin(f"{id(at)}-{number}", ACCOUNT, {"a": ("+861", None)})
                    at.answered(f"{id(at)}-{number}", "a", clock.now())
                left -= min(count, left)
                at.others_spent(await database.write(at.exchange))
            for _minute in range(4):
                clock.at += timedelta(seconds=58)
                shuffled = order.sample(meters, len(meters))
                await asyncio.gather(*(look(at, database) for at in shuffled))
                assert sum((counted(at) for at in meters), Decimal(0)) <= from_units(10_000)
                clock.at += timedelta(seconds=2)

    asyncio.run(run())


def counted(at: Spending) -> Decimal:
    """What calls of this controller alone cost."""
    at.others_spent({})
    return at.spent(ACCOUNT).total


def meter(name: str, clock: Clock | None = None) -> Spending:
    """A call costs a tenth of the cap."""
    made = Spending(
        clock or Clock(), Calendar(ZoneInfo("UTC")), Terms(), lambda _number: False, controller=name
    )
    price = Price(account_id=None, valid_from=NOW, minute=from_units(1_000), number_month=from_units(0))
    made.prices = PriceBook([price])
    return made

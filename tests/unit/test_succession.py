"""Going on with what another controller has left."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest
from engine import copy_database
from sqlalchemy.exc import OperationalError
from sqlmodel import Session
from unit.calls.support import ACCOUNT, APP
from unit.store.support import call_row
from unit.support import soon

from controller import succession
from controller.clock import SystemClock
from controller.settings import Settings
from controller.store import calls as rows
from controller.store import controllers
from controller.store.controllers import Estate, Pulse
from controller.store.database import Database
from controller.store.limits import Limits
from controller.store.tables import Call

AWAY = OperationalError("SELECT", None, Exception("the server is starting up"))
ENDED = psycopg.OperationalError("terminating connection due to administrator command")
"""As prepared statements raise it."""

WHAT_A_NODE_HAS = ("announce to", "take over voicecall-a on")


class House:
    """Nodes, their recovery and pushes; the first times that the database is asked it is away."""

    def __init__(self, away: int = 0, nodes: tuple[str, ...] = ("node1",), error: Exception = AWAY) -> None:
        self.away = away
        self.error = error
        self.did: list[str] = []
        self.nodes = {name: Place(name, self) for name in nodes}
        self.first = self.nodes[nodes[0]]
        self.names = nodes

    def __iter__(self) -> Iterator["Place"]:
        return iter(self.nodes.values())

    def adopt(self, behind: tuple[str, ...], now: datetime) -> None:
        assert now.tzinfo is UTC
        self.did.append(f"adopt {behind[0]}")

    def ask(self) -> None:
        if self.away:
            self.away -= 1
            raise self.error


class Place:
    """A node of a house, and its recovery."""

    def __init__(self, name: str, house: House) -> None:
        self.name = name
        self.house = house
        self.answers = asyncio.Event()
        self.answers.set()

    async def announce(self) -> None:
        await self.answers.wait()
        self.house.did.append(f"announce to {self.name}")

    async def close_elsewhere(self, known: tuple[str, ...]) -> None:
        self.house.ask()
        self.house.did.append(f"close elsewhere than {known}")

    async def take_over(self, application: str) -> None:
        self.house.ask()
        self.house.did.append(f"take over {application} on {self.name}")


def gone_on_with(estate: Estate, house: House) -> Coroutine[Any, Any, None]:
    fake = cast(Any, house)
    return succession.take_over(estate, fleet=fake, recoveries=fake.nodes, pushes=fake, clock=SystemClock())


@pytest.mark.requirement("E2")
@pytest.mark.parametrize("error", [AWAY, ENDED], ids=["SQLAlchemy's", "the driver's"])
@pytest.mark.parametrize("away", [0, 1, 3])
async def test_E2_given_a_database_that_is_away_when_an_estate_is_gone_on_with_then_it_is_when_it_is_back(
    away: int, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession, "_PAUSE", 0.0)
    house = House(away, error=error)

    await gone_on_with(Estate("a", "voicecall-a", frozenset({"node1"}), ("live",), ("live",)), house)

    assert house.did[0] == "adopt live"
    assert sorted(set(house.did[1:])) == [
        "announce to node1",
        "close elsewhere than ('node1',)",
        "take over voicecall-a on node1",
    ]
    assert house.did.index("announce to node1") < house.did.index("take over voicecall-a on node1")


@pytest.mark.requirement("E2")
@pytest.mark.virtual_time
@pytest.mark.parametrize("its_node", [True, False], ids=["of-the-estate", "of-this-one-alone"])
async def test_E2_given_a_node_that_hangs_when_an_estate_is_gone_on_with_then_calls_elsewhere_do_not_wait(
    its_node: bool,
) -> None:
    house = House(nodes=("node1", "node2", "node3"))
    house.nodes["node2"].answers.clear()
    nodes = frozenset({"node1", "node2", "node3"} if its_node else {"node1", "node3"})

    async with asyncio.TaskGroup() as group:
        group.create_task(gone_on_with(Estate("a", "voicecall-a", nodes, ("live",), ("live",)), house))
        await asyncio.sleep(0.1)
        before = set(house.did)
        house.nodes["node2"].answers.set()

    assert before == {
        "adopt live",
        "close elsewhere than ('node1', 'node2', 'node3')",
        *(f"{what} {name}" for name in ("node1", "node3") for what in WHAT_A_NODE_HAS),
    }
    late = [f"{what} node2" for what in WHAT_A_NODE_HAS]
    assert [it for it in house.did if it not in before] == late[: 1 + its_node]


@pytest.mark.requirement("E2")
async def test_E2_given_a_node_where_it_goes_wrong_when_an_estate_is_gone_on_with_then_others_are_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(succession, "_PAUSE", 0.0)
    house = House(nodes=("node1", "node2"))
    take_over, mended = house.nodes["node1"].take_over, asyncio.Event()

    async def goes_wrong(application: str) -> None:
        if "take over voicecall-a on node2" in house.did:
            mended.set()
        if not mended.is_set():
            raise ValueError("no good")
        await take_over(application)

    monkeypatch.setattr(house.nodes["node1"], "take_over", goes_wrong)
    estate = Estate("a", "voicecall-a", frozenset(house.names), (), ("live",))

    await soon(gone_on_with(estate, house))

    assert [it for it in house.did if it.startswith("take over")] == [
        "take over voicecall-a on node2",
        "take over voicecall-a on node1",
    ]


class Estates:
    """Goes on with what controllers left, when it may."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.done: list[str] = []
        self.may_go_on = asyncio.Event()
        self.both = asyncio.Event()

    async def take_over(self, estate: Estate) -> None:
        self.begun.append(estate.name)
        if len(self.begun) == 2:
            self.both.set()
        if estate.name == "a":
            await self.may_go_on.wait()
        elif estate.name == "broken":
            raise RuntimeError("no good")
        self.done.append(estate.name)


def estate_of(name: str) -> Estate:
    return Estate(name, f"voicecall-{name}", frozenset({"node1"}), (), ())


@pytest.mark.requirement("E2")
async def test_E2_given_an_estate_that_takes_long_when_there_is_another_then_that_one_does_not_wait() -> None:
    estates = Estates()
    async with succession.going_on(estates.take_over) as go_on:
        await go_on(estate_of("a"))
        await go_on(estate_of("b"))
        await soon(estates.both.wait())
        assert estates.done == ["b"]
        estates.may_go_on.set()
        await asyncio.sleep(0)
        assert estates.done == ["b", "a"]


@pytest.mark.requirement("E2")
async def test_E2_given_an_estate_that_goes_wrong_when_ended_then_it_is_said_and_nothing_stays_under_way(
    caplog: pytest.LogCaptureFixture,
) -> None:
    estates = Estates()
    async with succession.going_on(estates.take_over) as go_on:
        await go_on(estate_of("a"))
        await go_on(estate_of("broken"))
        await soon(estates.both.wait())

    assert [record.controller for record in caplog.records] == ["broken"]  # type: ignore[attr-defined]
    assert estates.done == [] and len(asyncio.all_tasks()) == 1


class SetClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.mark.requirement("E4")
@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("killed", [True, False])
async def test_E4_given_a_controller_without_others_when_it_starts_again_then_it_knows_until_when_it_lived(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(succession, "_ALONE", 0.001)
    url, clock, beaten = copy_database(template, tmp_path / "test.db"), SetClock(), asyncio.Event()
    settings, beat = Settings(name="a", host_name="host.test"), controllers.beat

    def noted(session: Session, name: str, now: datetime) -> None:
        beat(session, name, now)
        if now == clock.time:
            loop.call_soon_threadsafe(beaten.set)

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(controllers, "beat", noted)
    row = call_row(controller="a", account_id=ACCOUNT, app_key=APP)
    async with Database(url) as database:
        async with AsyncExitStack() as first:
            assert await succession.joined(settings, database, clock, pytest.fail, first) is None
            await database.write(lambda session: rows.accept_call(session, row, None, Limits(100)))
            clock.time += timedelta(minutes=3)
            beaten.clear()
            await soon(beaten.wait())
            if killed:
                monkeypatch.setattr(controllers, "leave", lambda *_: None)
            else:
                clock.time += timedelta(minutes=1)
        lived = clock.time
        clock.time += timedelta(hours=2)
        async with AsyncExitStack() as second:
            await succession.joined(settings, database, clock, pytest.fail, second)
            found = await database.read(lambda session: session.get_one(Call, row["id"]).left_at)
    assert found == lived


@pytest.mark.requirement("E4")
@pytest.mark.engine("sqlite")
@pytest.mark.parametrize("killed", [True, False])
async def test_E4_given_a_controller_without_others_when_it_was_renamed_then_it_has_what_it_left_before(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr(succession, "GONE_ALONE", 0.0)
    clock, estates = SetClock(), Estates()
    row = call_row(controller="before", account_id=ACCOUNT, app_key=APP)
    async with Database(copy_database(template, tmp_path / "test.db")) as database:
        await database.write(
            lambda session: controllers.join(session, "before", "voicecall-before", ["node1"], clock.now())
        )
        await database.write(lambda session: rows.accept_call(session, row, None, Limits(100)))
        if not killed:
            await database.write(lambda session: controllers.leave(session, "before", clock.now()))
        for _start in range(2):
            await succession.inherit(database, "after", clock, estates.take_over)
        found = await database.read(lambda session: session.get_one(Call, row["id"]))

    assert estates.done == ["before"]
    assert (found.controller, found.left_at) == ("after", clock.now())


@pytest.mark.requirement("E2")
@pytest.mark.engine("sqlite")
async def test_E2_given_a_database_for_one_that_two_use_when_the_other_lives_then_it_keeps_its_calls(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock, estates, take_over = SetClock(), Estates(), controllers.take_over

    def late(session: Session, seen: Pulse, name: str, now: datetime) -> Estate | None:
        controllers.beat(session, "other", clock.now())
        return take_over(session, seen, name, now)

    row = call_row(controller="other", account_id=ACCOUNT, app_key=APP)
    async with Database(copy_database(template, tmp_path / "test.db")) as database:
        await database.write(
            lambda session: controllers.join(session, "other", "voicecall-other", ["node1"], clock.now())
        )
        await database.write(lambda session: rows.accept_call(session, row, None, Limits(100)))

        monkeypatch.setattr(succession, "GONE_ALONE", 0.0)
        monkeypatch.setattr(controllers, "take_over", late)
        await succession.inherit(database, "second", clock, estates.take_over)
        found = await database.read(lambda session: session.get_one(Call, row["id"]))

    assert estates.begun == [] and found.controller == "other"
    assert [record.controller for record in caplog.records] == ["other"]  # type: ignore[attr-defined]

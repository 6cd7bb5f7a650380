"""Limits counted from call rows: several controllers at once, one that goes, calls from before."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from engine import copy_database, database_at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session
from unit.store.support import FIRST, NOW, NUMBERS, OTHER, PERSON, SECOND, accept, call_row, calls_in, end

from controller.rules.windows import Window
from controller.store.controllers import Pulse, epoch_of, join, pulse_of, take_over
from controller.store.database import Database
from controller.store.engines import make_engine
from controller.store.errors import Fenced, LimitReached
from controller.store.limits import Frequency, Limits
from controller.store.schema import migrate


@pytest.mark.requirement("A4.4")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    most=st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)),
    wishes=st.lists(
        st.tuples(st.sampled_from(["app-1", "app-2"]), st.sampled_from([FIRST, SECOND]), st.booleans()),
        min_size=1,
        max_size=24,
    ),
)
def test_A4_4_given_two_controllers_when_calls_start_and_end_at_once_then_never_over_and_never_leaked(
    template: Path,
    tmp_path: Path,
    most: tuple[int, int, int],
    wishes: list[tuple[str, str, bool]],
) -> None:
    app, account, number = most
    limits = Limits(app, account_calls=account, number_calls={FIRST: number})
    path = tmp_path / f"{next(NUMBERS)}.db"
    copy_database(template, path)

    async def one(database: Database, wish: tuple[str, str, bool]) -> bool:
        key, shown, ends = wish
        row = call_row(app_key=key, display_number=shown)
        mine = limits if shown == FIRST else Limits(app, account_calls=account)
        try:
            await accept(database, mine, row)
        except LimitReached:
            return False
        assert_within(await live(database), app, account, number)
        if ends:
            await end(database, row)
        return not ends

    async def run() -> None:
        url = database_at(path)
        async with Database(url, synchronous="NORMAL") as here, Database(url, synchronous="NORMAL") as there:
            stay = await asyncio.gather(
                *(one(there if index % 2 else here, wish) for index, wish in enumerate(wishes))
            )
            left = await live(here)
            assert_within(left, app, account, number)
            # Places are held by live calls and by nothing else.
            assert len(left) == sum(stay)

    asyncio.run(run())


async def live(database: Database) -> list[tuple[str, str]]:
    def read(session: Session) -> list[tuple[str, str]]:
        found = session.execute(text("SELECT app_key, display_number FROM call WHERE ended_at IS NULL"))
        return [(row[0], row[1]) for row in found]

    return await database.read(read)


def assert_within(calls: list[tuple[str, str]], app: int, account: int, number: int) -> None:
    for key in ("app-1", "app-2"):
        assert sum(of == key for of, _shown in calls) <= app
    assert len(calls) <= account
    assert sum(shown == FIRST for _of, shown in calls) <= number


@pytest.mark.requirement("A4.4", "E2")
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    most=st.integers(1, 4),
    shown=st.lists(st.sampled_from([FIRST, SECOND]), min_size=2, max_size=24),
    goes_after=st.integers(0, 24),
)
def test_A4_4_given_a_controller_that_goes_while_calls_start_when_taken_over_then_no_place_is_lost(
    template: Path, tmp_path: Path, most: int, shown: list[str], goes_after: int
) -> None:
    limits = Limits(most + 1, account_calls=most + 1, number_calls={FIRST: most})
    path = tmp_path / f"{next(NUMBERS)}.db"
    url = copy_database(template, path)

    async def one(database: Database, controller: str, number: str) -> dict[str, Any] | None:
        row = call_row(controller=controller, display_number=number)
        try:
            await accept(database, limits if number == FIRST else Limits(most + 1, most + 1), row)
        except (LimitReached, Fenced):
            return None
        return row

    async def run() -> None:
        async with Database(url, synchronous="NORMAL") as gone, Database(url, synchronous="NORMAL") as heir:
            seen = await joined(gone, "gone")
            await joined(heir, "heir")
            asked = [
                one(heir, "heir", number) if index % 2 else one(gone, "gone", number)
                for index, number in enumerate(shown)
            ]
            # From then on what the other one writes comes too late, wherever it waits.
            takes_over = heir.write(lambda session: take_over(session, seen, "heir", NOW))
            before, estate, after = await asyncio.gather(
                asyncio.gather(*asked[:goes_after]), takes_over, asyncio.gather(*asked[goes_after:])
            )
            accepted = [row for row in (*before, *after) if row is not None]

            assert estate is not None
            assert set(estate.live) == {row["id"] for row in accepted if row["controller"] == "gone"}
            # Until the heir has ended them its calls hold their places.
            held = await live(heir)
            assert len(held) == len(accepted)
            assert_within(held, most + 1, most + 1, most)
            for row in accepted:
                await end(heir, row)
            again = [await one(heir, "heir", FIRST) for _ in range(most + 1)]
            assert [row is not None for row in again] == [True] * most + [False]
            with pytest.raises(Fenced):
                await accept(gone, limits)

    asyncio.run(run())


async def joined(database: Database, name: str) -> Pulse:
    """A controller is there, and writes no more once it is taken over; returns what others see of it."""
    epoch = await database.write(lambda session: join(session, name, name, ["node1"], NOW))

    def check(session: Session) -> None:
        if epoch_of(session, name) != epoch:
            raise Fenced(name)

    database.fence = check
    seen = await database.read(lambda session: pulse_of(session, name))
    assert seen is not None
    return seen


Wish = tuple[str, str, int]
"""App, whom it calls, and when: in milliseconds or minutes."""


def wishes(latest: int) -> st.SearchStrategy[list[Wish]]:
    apps, people = st.sampled_from(["app-1", "app-2", "app-3"]), st.sampled_from([PERSON, OTHER])
    return st.lists(st.tuples(apps, people, st.integers(0, latest)), min_size=1, max_size=24)


def account_of(app: str) -> str:
    return "other" if app == "app-3" else "acme"


def accepted_of(
    template: Path, path: Path, wishes: list[Wish], limits: Limits, unit: timedelta
) -> list[Wish]:
    """Those that are accepted when two controllers are asked for all at once; there are no other calls."""
    url = copy_database(template, path)

    async def one(database: Database, wish: Wish) -> bool:
        app, person, moment = wish
        parts = {"app_key": app, "account_id": account_of(app), "callee": person, "addressee": person}
        try:
            await accept(database, limits, call_row(NOW + moment * unit, **parts))
        except LimitReached:
            return False
        return True

    async def run() -> list[Wish]:
        async with Database(url, synchronous="NORMAL") as here, Database(url, synchronous="NORMAL") as there:
            said = await asyncio.gather(
                *(one(there if index % 2 else here, wish) for index, wish in enumerate(wishes))
            )
            assert await calls_in(here) == sum(said)
        return [wish for wish, is_accepted in zip(wishes, said, strict=True) if is_accepted]

    return asyncio.run(run())


def most_within(moments: list[int], length: int) -> int:
    """How many there are at most in any stretch of this length."""
    return max((sum(end - length < other <= end for other in moments) for end in moments), default=0)


@pytest.mark.requirement("A4.4", "E2")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rates=st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 5)).filter(any),
    wishes=wishes(3000),
)
def test_A4_4_given_rates_when_two_controllers_are_asked_in_any_order_then_no_second_has_more(
    template: Path, tmp_path: Path, rates: tuple[int, int, int], wishes: list[Wish]
) -> None:
    app_rate, account_rate, platform_rate = rates
    limits = Limits(99, app_rate=app_rate, account_rate=account_rate, platform_rate=platform_rate)
    accepted = accepted_of(
        template, tmp_path / f"{next(NUMBERS)}.db", wishes, limits, timedelta(milliseconds=1)
    )

    def busiest(of: Callable[[str], str], which: str) -> int:
        return most_within([moment for app, _person, moment in accepted if of(app) == which], 1000)

    assert accepted
    assert not app_rate or max(busiest(str, app) for app in ("app-1", "app-2", "app-3")) <= app_rate
    assert not account_rate or max(busiest(account_of, name) for name in ("acme", "other")) <= account_rate
    assert not platform_rate or most_within([moment for *_, moment in accepted], 1000) <= platform_rate


@pytest.mark.requirement("A4.4", "E2")
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    day=st.integers(1, 3),
    hour=st.integers(1, 2),
    wishes=wishes(40 * 60),
)
def test_A4_4_given_windows_when_two_controllers_call_one_person_at_once_then_none_has_more(
    template: Path, tmp_path: Path, day: int, hour: int, wishes: list[Wish]
) -> None:
    windows = (Window(day, timedelta(hours=24)), Window(hour, timedelta(hours=1)))
    limits = Limits(99, frequency=Frequency(windows, refuse=True))
    accepted = accepted_of(template, tmp_path / f"{next(NUMBERS)}.db", wishes, limits, timedelta(minutes=1))

    assert accepted
    for account, person in product(("acme", "other"), (PERSON, OTHER)):
        minutes = [at for app, called, at in accepted if (account_of(app), called) == (account, person)]
        assert most_within(minutes, 24 * 60) <= day
        assert most_within(minutes, 60) <= hour


def test_given_calls_before_there_were_limits_when_migrated_then_it_is_known_whom_they_were_for(
    tmp_path: Path,
) -> None:
    url = database_at(tmp_path / "old.db")
    migrate(url, "0005")
    engine = make_engine(url)
    plan = f'{{"callee": "{OTHER}", "display_number": "{SECOND}"}}'
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO account (id, name) VALUES ('acme', '')"))
        connection.execute(
            text(
                "INSERT INTO app (key, account_id, name, service, secret, active, max_calls)"
                " VALUES ('app-1', 'acme', '', 'callback', '12345678', true, 10)"
            )
        )
        for name, service, kept in (("n", "notification", None), ("c", "callback", plan)):
            connection.execute(
                text(
                    "INSERT INTO call (id, session_id, account_id, app_key, service, controller, node,"
                    " display_number, callee, plan, accepted_at)"
                    " VALUES (:id, :id, 'acme', 'app-1', :service, 'h', 'n', :shown, :callee, :plan, :at)"
                ),
                {
                    "id": name,
                    "service": service,
                    "shown": FIRST,
                    "callee": PERSON,
                    "plan": kept,
                    "at": "2026-11-24 08:00:00.000000",
                },
            )
    engine.dispose()

    migrate(url)

    engine = make_engine(url)
    with engine.connect() as connection:
        calls = connection.execute(text("SELECT id, addressee, second_display_number FROM call"))
        found = {name: (addressee, second) for name, addressee, second in calls}
        active = connection.execute(text("SELECT active, max_calls, rules FROM account")).one()
    engine.dispose()
    assert found == {"n": (PERSON, None), "c": (OTHER, SECOND)}
    assert tuple(active) == (1, None, None)

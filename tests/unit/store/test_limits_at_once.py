"""Limits counted from call rows: many controllers at once, any order of requests, calls from before."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from engine import copy_database, database_at
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session
from unit.store.support import FIRST, NOW, NUMBERS, OTHER, PERSON, SECOND, accept, call_row, end

from controller.store.database import Database, make_engine
from controller.store.errors import LimitReached
from controller.store.limits import Limits
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


@pytest.mark.requirement("A4.4")
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.integers(1, 4),
    moments=st.lists(st.integers(0, 3000), min_size=1, max_size=24),
)
def test_A4_4_given_a_rate_when_requests_arrive_in_any_order_then_no_second_has_more(
    template: Path, tmp_path: Path, rate: int, moments: list[int]
) -> None:
    path = tmp_path / f"{next(NUMBERS)}.db"
    copy_database(template, path)
    accepted: list[int] = []

    async def run() -> None:
        async with Database(database_at(path), synchronous="NORMAL") as database:
            for moment in moments:
                at = NOW + timedelta(milliseconds=moment)
                try:
                    await accept(database, Limits(99, app_rate=rate), call_row(at))
                except LimitReached:
                    continue
                accepted.append(moment)

    asyncio.run(run())

    assert accepted
    for moment in accepted:
        assert sum(moment - 1000 < other <= moment for other in accepted) <= rate


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

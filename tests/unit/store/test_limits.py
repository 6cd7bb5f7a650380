"""Limits counted from call rows: edges, both numbers of a callback, many controllers at once, cost."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session

from controller.rules.windows import Window
from controller.store import calls as rows
from controller.store.database import Database, make_engine
from controller.store.errors import Limit, LimitReached
from controller.store.limits import Frequency, Limits, Place
from controller.store.schema import migrate
from controller.store.tables import Account, App

NOW = datetime(2026, 11, 24, 8, 0, 0, 500_000, tzinfo=UTC)
PERSON, OTHER = "+8613900001111", "+8613900002222"
FIRST, SECOND = "+8657126880001", "+8657126880002"
NUMBERS = count(1)


def call_row(at: datetime = NOW, **changes: Any) -> dict[str, Any]:
    identity = f"call-{next(NUMBERS)}"
    return {
        "id": identity,
        "session_id": f"{identity}@host",
        "account_id": "acme",
        "app_key": "app-1",
        "service": "notification",
        "controller": "host",
        "node": "node1",
        "display_number": FIRST,
        "callee": PERSON,
        "addressee": PERSON,
        "accepted_at": at,
        **changes,
    }


@pytest.fixture(scope="module")
def template(empty_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two accounts: one with two apps, one with one."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    shutil.copy(empty_template, path)
    engine = make_engine(f"sqlite:///{path}")
    with Session(engine) as session, session.begin():
        session.add_all([Account(id="acme"), Account(id="other")])
        session.flush()
        for key, account in (("app-1", "acme"), ("app-2", "acme"), ("app-3", "other")):
            session.add(App(key=key, account_id=account, service="notification", secret="12345678"))
    engine.dispose()
    return path


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copy(template, tmp_path / "test.db")
    async with Database(f"sqlite:///{tmp_path / 'test.db'}", synchronous="NORMAL") as opened:
        yield opened


async def accept(database: Database, limits: Limits, row: dict[str, Any] | None = None) -> Place:
    made = row or call_row()
    return await database.write(lambda session: rows.accept_call(session, made, None, limits))


async def refusal(database: Database, limits: Limits, row: dict[str, Any] | None = None) -> LimitReached:
    """Why a call is refused; nothing was written."""
    before = await calls_in(database)
    with pytest.raises(LimitReached) as caught:
        await accept(database, limits, row)
    assert await calls_in(database) == before
    return caught.value


async def calls_in(database: Database) -> int:
    return await database.read(
        lambda session: session.execute(text("SELECT count(*) FROM call")).scalar_one()
    )


async def end(database: Database, row: dict[str, Any]) -> None:
    entry = {
        "call_id": row["id"],
        "sequence": 1,
        "at": NOW,
        "kind": "disconnect",
        "leg": None,
        "detail": None,
    }
    await database.write(
        lambda session: rows.end_call(
            session,
            row["id"],
            ended_at=NOW,
            state_code=0,
            last_entry=entry,
            cdr={},
            app_key=row["app_key"],
            delivery=None,
        )
    )


LIVE: dict[str, tuple[Limits, dict[str, Any], dict[str, Any], Limit]] = {
    "the_app": (Limits(1), {}, {"app_key": "app-2"}, Limit.APP_CALLS),
    "the_account": (
        Limits(9, account_calls=1),
        {"app_key": "app-2"},
        {"app_key": "app-3", "account_id": "other"},
        Limit.ACCOUNT_CALLS,
    ),
    "the_number": (Limits(9, number_calls={FIRST: 1}), {}, {"display_number": SECOND}, Limit.NUMBER_CALLS),
    "the_number_of_all_apps": (
        Limits(9, number_calls={FIRST: 1}),
        {"app_key": "app-2"},
        {"display_number": SECOND},
        Limit.NUMBER_CALLS,
    ),
}


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("case", LIVE)
async def test_A4_4_given_one_call_at_a_time_for(database: Database, case: str) -> None:
    limits, same, another, limit = LIVE[case]
    first = call_row(**same) | {"app_key": "app-1"}
    elsewhere = call_row(**another)
    limits_elsewhere = Limits(9, number_calls={SECOND: 1}) if limit is Limit.NUMBER_CALLS else limits

    await accept(database, limits, first)
    refused = await refusal(database, limits, call_row(**same))
    await accept(database, limits_elsewhere, elsewhere)
    await end(database, first)
    await accept(database, limits, call_row(**same))

    assert refused.limit is limit
    assert refused.passes_in is None


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("shown", [{"display_number": FIRST}, {"second_display_number": FIRST}])
async def test_A4_4_given_a_number_for_one_call_when_a_callback_shows_it_on_either_side_then_it_is_taken(
    database: Database, shown: dict[str, str]
) -> None:
    limits = Limits(9, number_calls={FIRST: 1})
    callback = call_row(**{"service": "callback", "display_number": SECOND, **shown})

    await accept(database, Limits(9), callback)

    assert (await refusal(database, limits)).limit is Limit.NUMBER_CALLS


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_a_callback_that_shows_one_number_twice_when_counted_then_it_is_one_call(
    database: Database,
) -> None:
    await accept(database, Limits(9), call_row(second_display_number=FIRST))
    await accept(database, Limits(9, number_calls={FIRST: 2}))

    assert (await refusal(database, Limits(9, number_calls={FIRST: 2}))).limit is Limit.NUMBER_CALLS


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_two_numbers_when_the_second_is_full_then_the_callback_is_refused(
    database: Database,
) -> None:
    await accept(database, Limits(9), call_row(display_number=SECOND))

    limits = Limits(9, number_calls={FIRST: 1, SECOND: 1})
    refused = await refusal(database, limits, call_row(second_display_number=SECOND))

    assert refused.limit is Limit.NUMBER_CALLS


RATES: dict[str, tuple[Limits, dict[str, str], Limit]] = {
    "the_app": (Limits(99, app_rate=2), {"app_key": "app-2"}, Limit.APP_RATE),
    "the_account": (
        Limits(99, account_rate=2),
        {"app_key": "app-3", "account_id": "other"},
        Limit.ACCOUNT_RATE,
    ),
}


@pytest.mark.requirement("A4.4")
@pytest.mark.parametrize("case", RATES)
async def test_A4_4_given_two_calls_a_second_for(database: Database, case: str) -> None:
    limits, another, limit = RATES[case]
    for milliseconds in (0, 400):
        row = call_row(NOW + timedelta(milliseconds=milliseconds))
        await accept(database, limits, row)
        await end(database, row)

    refused = await refusal(database, limits, call_row(NOW + timedelta(milliseconds=999)))
    await accept(database, limits, call_row(NOW + timedelta(milliseconds=999), **another))
    await accept(database, limits, call_row(NOW + timedelta(seconds=1)))

    assert refused.limit is limit
    assert refused.passes_in == timedelta(seconds=1)


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_two_calls_a_second_for_the_platform_when_accounts_share_it_then_it_is_for_all(
    database: Database,
) -> None:
    limits = Limits(99, platform_rate=2)
    await accept(database, limits)
    await accept(database, limits, call_row(app_key="app-3", account_id="other"))

    assert (await refusal(database, limits, call_row(app_key="app-2"))).limit is Limit.PLATFORM_RATE


async def test_given_a_clock_that_was_put_back_when_counted_then_calls_of_the_future_do_not_count(
    database: Database,
) -> None:
    limits = Limits(99, app_rate=1)
    await accept(database, limits, call_row(NOW + timedelta(hours=1)))

    await accept(database, limits)

    assert (await refusal(database, limits)).limit is Limit.APP_RATE


DAY = Window(3, timedelta(hours=24))
MONTH = Window(4, timedelta(days=30))


def limited(*windows: Window, refuse: bool = True) -> Limits:
    return Limits(99, frequency=Frequency(windows, refuse))


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_three_calls_in_a_day_when_called_at_the_windows_edge_then_it_is_exact(
    database: Database,
) -> None:
    start = NOW - timedelta(hours=24)
    for minutes in (0, 1, 2):
        await accept(database, limited(DAY), call_row(start + timedelta(minutes=minutes)))

    just_before = call_row(NOW - timedelta(microseconds=1))
    refused = await refusal(database, limited(DAY), just_before)
    await accept(database, limited(DAY), call_row(NOW))
    again = await refusal(database, limited(DAY), call_row(NOW))

    assert (refused.limit, refused.passes_in) == (Limit.FREQUENCY, timedelta(microseconds=1))
    assert again.passes_in == timedelta(minutes=1)


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_two_windows_when_both_are_full_then_the_wait_is_the_longer_one(
    database: Database,
) -> None:
    for hours in (24 * 10, 3, 2, 1):
        await accept(database, Limits(99), call_row(NOW - timedelta(hours=hours)))

    refused = await refusal(database, limited(DAY, MONTH))

    assert str(refused) == "calls to one callee: the callee has had 3/24h and 4/30d calls"
    assert refused.passes_in == timedelta(days=20)


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_only_a_warning_when_called_too_often_then_it_is_accepted_and_said(
    database: Database,
) -> None:
    places = [await accept(database, limited(DAY, MONTH, refuse=False)) for _ in range(5)]

    assert [place.too_often for place in places] == [(), (), (), (DAY,), (DAY, MONTH)]


@pytest.mark.requirement("A4.4")
async def test_A4_4_given_calls_of_others_and_to_others_when_counted_then_they_are_not_the_accounts(
    database: Database,
) -> None:
    one = limited(Window(1, timedelta(hours=24)))
    await accept(database, one, call_row(account_id="other", app_key="app-3"))
    await accept(database, one, call_row(callee=OTHER, addressee=OTHER))
    # A callback is for its B, not for its A.
    await accept(database, one, call_row(callee=PERSON, addressee=OTHER + "1"))

    await accept(database, one)

    assert (await refusal(database, one)).limit is Limit.FREQUENCY


async def test_given_all_limits_reached_when_refused_then_the_order_is_as_documented(
    database: Database,
) -> None:
    await accept(database, Limits(9))
    parts: dict[str, Any] = {
        "frequency": Frequency((Window(1, timedelta(hours=24)),), refuse=True),
        "number_calls": {FIRST: 1},
        "account_calls": 1,
        "app_calls": 1,
        "app_rate": 1,
        "account_rate": 1,
        "platform_rate": 1,
    }
    order = [
        Limit.FREQUENCY,
        Limit.NUMBER_CALLS,
        Limit.ACCOUNT_CALLS,
        Limit.APP_CALLS,
        Limit.APP_RATE,
        Limit.ACCOUNT_RATE,
        Limit.PLATFORM_RATE,
    ]
    found, given_parts = [], {"app_calls": 9}
    for name, value in parts.items():
        given_parts[name] = value
        found.append((await refusal(database, Limits(**given_parts))).limit)

    assert found == order


async def test_given_every_limit_when_counted_then_an_index_answers_each_question(
    database: Database,
) -> None:
    asked: list[str] = []
    everything = Limits(
        99,
        account_calls=99,
        number_calls={FIRST: 99},
        platform_rate=99,
        frequency=Frequency((DAY,), refuse=True),
    )

    def work(session: Session) -> list[str]:
        driver: Any = session.connection().connection.driver_connection
        driver.set_trace_callback(asked.append)
        rows.accept_call(session, call_row(), None, everything)
        driver.set_trace_callback(None)
        return [
            step[3]
            for statement in asked
            if statement.startswith("SELECT")
            for step in driver.execute(f"EXPLAIN QUERY PLAN {statement}")
            if "call" in step[3]
        ]

    plans = await database.write(work)

    assert len(plans) >= 6
    assert [plan for plan in plans if " INDEX ix_call_" not in plan] == []


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
    shutil.copy(template, path)

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
        url = f"sqlite:///{path}"
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
    shutil.copy(template, path)
    accepted: list[int] = []

    async def run() -> None:
        async with Database(f"sqlite:///{path}", synchronous="NORMAL") as database:
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
    url = f"sqlite:///{tmp_path}/old.db"
    migrate(url, "0005")
    engine = make_engine(url)
    plan = f'{{"callee": "{OTHER}", "display_number": "{SECOND}"}}'
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO account (id, name) VALUES ('acme', '')"))
        connection.execute(
            text(
                "INSERT INTO app (key, account_id, name, service, secret, active, max_calls)"
                " VALUES ('app-1', 'acme', '', 'callback', '12345678', 1, 10)"
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

"""Limits counted from call rows: edges, both numbers of a callback, many controllers at once, cost."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from engine import copy_database, database_at
from sqlmodel import Session
from unit.store.support import FIRST, NOW, OTHER, PERSON, SECOND, accept, call_row, end, refusal

from controller.rules.windows import Window
from controller.store import calls as rows
from controller.store.database import Database
from controller.store.errors import Limit
from controller.store.limits import Frequency, Limits


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    copy_database(template, tmp_path / "test.db")
    async with Database(database_at(tmp_path / "test.db"), synchronous="NORMAL") as opened:
        yield opened


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


@pytest.mark.engine("sqlite")
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

"""Settlement: every call once, also when the process is killed in the middle, or two settle at once."""

import asyncio
import signal
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from service.billing.support import (
    NOW,
    SETTINGS,
    A,
    B,
    Made,
    SetClock,
    add_account,
    add_calls,
    money,
    prepare,
)
from sqlmodel import Session, select
from unit.calls.support import ACCOUNT
from unit.support import soon

from controller.billing import ledger
from controller.billing.prices import OwnTariff, set_price
from controller.billing.settlement import Settled, Settling
from controller.store import ratings
from controller.store.billing_tables import LedgerTransfer, RatedCall, Settlement
from controller.store.database import Database
from controller.store.tables import Cdr

HOUR = timedelta(hours=1)
FREE = "+999"


def settling(database: Database, clock: SetClock, batch: int = 3) -> Settling:
    return Settling(database, clock, SETTINGS, lambda number: number.startswith(FREE), batch=batch, pause=0)


async def add(database: Database, *calls: Made) -> None:
    await database.write(lambda session: add_calls(session, calls))


async def rated(database: Database) -> dict[str, str]:
    found = await database.read(lambda session: session.exec(select(RatedCall)).all())
    return {row.call_id: str(row.amount) for row in found}


async def charges(database: Database) -> list[tuple[str, str, str]]:
    found = await database.read(lambda session: session.exec(select(LedgerTransfer)).all())
    return [(row.account_id, row.text.split(", settled")[0], str(row.amount)) for row in found]


@pytest.fixture
async def clock(database: Database) -> SetClock:
    await database.write(prepare)
    return SetClock()


@pytest.mark.requirement("C8")
async def test_C8_given_calls_of_an_hour_when_settled_then_each_is_rated_and_its_account_charged_once(
    database: Database, clock: SetClock
) -> None:
    await add(
        database,
        Made("answered", NOW - HOUR, first=61),
        Made("callback", NOW - HOUR / 2, first=130, second=59, second_callee=B),
        Made("b-never", NOW - HOUR / 2, first=30, second=None, second_callee=B),
        Made("unanswered", NOW - HOUR / 3, first=None),
        Made("simulated", NOW - HOUR / 3, callee="+99901602000"),
        Made("not-yet", NOW, first=30),
    )

    assert await settling(database, clock).settle() == Settled(5, 1)
    assert await settling(database, clock).settle() == Settled(0, 0)

    expected = {
        "answered": "0.3600",
        "callback": "0.7200",
        "b-never": "0.1800",
        "unanswered": "0.0000",
        "simulated": "0.0000",
    }
    assert await rated(database) == expected
    assert await charges(database) == [(ACCOUNT, "5 calls, 7 minutes", "1.2600")]
    clock.pass_(hours=1)
    assert await settling(database, clock).settle() == Settled(1, 1)
    assert await rated(database) == {**expected, "not-yet": "0.1800"}
    assert await database.read(lambda session: ledger.balance(session, ACCOUNT)) == money("-1.44")


@pytest.mark.requirement("C8")
async def test_C8_given_many_calls_that_end_at_the_same_moment_when_settled_in_batches_then_none_is_missed(
    database: Database, clock: SetClock
) -> None:
    await add(database, *(Made(f"c{number:02}", NOW - HOUR) for number in range(20)))

    assert await settling(database, clock, batch=3).settle() == Settled(20, 1)


@pytest.mark.requirement("C8")
async def test_C8_given_a_record_that_was_written_late_when_settled_then_it_is_found(
    database: Database, clock: SetClock
) -> None:
    await settling(database, clock).settle()
    clock.pass_(hours=2)
    await settling(database, clock).settle()
    # The database was away when it ended: before both settlements.
    await add(database, Made("late", NOW - HOUR))

    assert await settling(database, clock).settle() == Settled(1, 1)


@pytest.mark.requirement("C8", "E4")
async def test_C8_given_a_call_that_was_left_behind_for_days_when_it_is_closed_then_it_is_settled(
    database: Database, clock: SetClock
) -> None:
    await add(database, Made("before", NOW - HOUR))
    await settling(database, clock).settle()
    # No controller was there; the one that starts settles before it has found what the last one left.
    clock.pass_(days=4)
    await settling(database, clock).settle()
    await add(database, Made("left", NOW + HOUR))

    assert await settling(database, clock).settle() == Settled(1, 1)
    assert await settling(database, clock).settle() == Settled(0, 0)
    assert (await rated(database))["left"] == "0.1800"


@pytest.mark.requirement("C8")
async def test_C8_given_calls_older_than_the_first_price_when_settled_then_they_stay_as_they_are(
    database: Database, clock: SetClock
) -> None:
    await add(database, Made("old", NOW - timedelta(days=31)), Made("new", NOW - HOUR))

    await settling(database, clock).settle()

    assert await rated(database) == {"new": "0.1800"}


@pytest.mark.requirement("C8")
async def test_C8_given_an_account_that_is_not_prepaid_when_settled_then_costs_are_known_and_not_charged(
    database: Database, clock: SetClock
) -> None:
    await database.write(lambda session: add_account(session, "free", prepaid=False))
    await add(database, Made("c1", NOW - HOUR, account_id="free", app_key="app-of-free"))

    assert await settling(database, clock).settle() == Settled(1, 0)

    assert (await rated(database), await charges(database)) == ({"c1": "0.1800"}, [])


@pytest.mark.requirement("C8")
async def test_C8_given_a_new_price_when_settled_later_then_calls_from_before_cost_what_they_did(
    database: Database, clock: SetClock
) -> None:
    await add(
        database, Made("before", NOW - HOUR), Made("over", NOW + HOUR, first=3660), Made("after", NOW + HOUR)
    )
    await database.write(lambda session: set_price(session, ACCOUNT, OwnTariff(money("0.1"), None), NOW))
    clock.pass_(hours=2)

    await settling(database, clock).settle()

    # The price of a call is that of its answer.
    assert await rated(database) == {"before": "0.1800", "over": "10.9800", "after": "0.1000"}


@pytest.mark.requirement("C8")
async def test_C8_given_a_record_that_cannot_be_read_when_settled_then_the_others_are(
    database: Database, clock: SetClock
) -> None:
    await add(database, *(Made(f"c{number}", NOW - HOUR) for number in range(5)))

    def spoil(session: Session) -> None:
        found = session.exec(select(Cdr).where(Cdr.call_id == "c2")).one_or_none()
        assert found is not None
        found.record = {"nothing": "here"}

    await database.write(spoil)

    assert await settling(database, clock, batch=2).settle() == Settled(4, 1)


@pytest.mark.requirement("C8")
async def test_C8_given_two_controllers_when_they_settle_at_once_then_each_call_is_charged_once(
    database: Database, database_url: str, clock: SetClock
) -> None:
    await add(database, *(Made(f"c{number:03}", NOW - HOUR) for number in range(60)))
    async with Database(database_url, synchronous="NORMAL") as second:
        done = await asyncio.gather(*(settling(each, clock, 4).settle() for each in (database, second)))

    assert sum(settled.calls for settled in done) == 60
    assert await charges(database) == [(ACCOUNT, "60 calls, 60 minutes", "10.8000")]


@pytest.mark.requirement("C8")
async def test_C8_given_a_settlement_that_was_closed_elsewhere_when_calls_are_added_then_it_is_refused(
    database: Database, clock: SetClock
) -> None:
    await add(database, Made("c1", NOW - HOUR))
    row, _before = await database.write(lambda session: ratings.open_settlement(session, NOW))
    assert row.id is not None

    def close(session: Session) -> None:
        found = session.get(Settlement, row.id)
        assert found is not None
        found.rated_at = NOW

    await database.write(close)
    with pytest.raises(ratings.SettlementClosed):
        await database.write(lambda session: ratings.add_ratings(session, row.id or 0, []))
    # The next one goes on where it stood: it charges, and the call is the following settlement's.
    assert await settling(database, clock).settle() == Settled(0, 0)
    assert await settling(database, clock).settle() == Settled(1, 1)


VICTIM = """
import asyncio, sys
sys.path[:0] = sys.argv[2:]
from service.billing.support import SETTINGS, SetClock
from controller.billing.settlement import Settling
from controller.store import ratings
from controller.store.database import Database

add = ratings.add_ratings

def add_and_tell(*args, **values):
    added = add(*args, **values)
    print("rated", flush=True)
    return added

ratings.add_ratings = add_and_tell

async def main():
    async with Database(sys.argv[1]) as database:
        settling = Settling(database, SetClock(), SETTINGS, lambda number: False, batch=5, pause=0.01)
        await settling.settle()

asyncio.run(main())
"""


@pytest.mark.requirement("C8", "E4")
async def test_C8_given_a_process_that_is_killed_in_the_middle_when_settled_again_then_all_is_charged_once(
    database: Database, database_url: str, clock: SetClock, tmp_path: Path
) -> None:
    calls = [Made(f"c{number:04}", NOW - HOUR + timedelta(seconds=number)) for number in range(400)]
    await add(database, *calls)
    script = tmp_path / "victim.py"
    script.write_text(VICTIM, "utf-8")
    killed_at = []
    for batches in (8, 16, 16):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            database_url,
            *(path for path in sys.path if path),
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        for _batch in range(batches):
            assert await soon(process.stdout.readline(), 20) == b"rated\n"
        process.send_signal(signal.SIGKILL)
        assert await soon(process.wait()) == -signal.SIGKILL
        # A server still does what it was asked last: our turn to write comes after that.
        await database.write(lambda _session: None)
        killed_at.append(len(await rated(database)))

    assert all(0 < count < 400 for count in killed_at)
    assert await charges(database) == []
    settled = await settling(database, clock, batch=50).settle()

    assert settled == Settled(400 - killed_at[-1], 1)
    assert len(await rated(database)) == 400
    assert await charges(database) == [(ACCOUNT, "400 calls, 400 minutes", "72.0000")]
    runs = await database.read(lambda session: session.exec(select(Settlement)).all())
    assert [run.posted_at is not None for run in runs] == [True]
    assert await database.read(lambda session: ledger.balance(session, ACCOUNT)) == Decimal(-72)


@pytest.mark.requirement("C8")
async def test_C8_given_rated_calls_when_usage_is_asked_for_then_days_apps_and_sums_are_right(
    database: Database, clock: SetClock
) -> None:
    # In Shanghai the day begins at 16:00 UTC.
    before, after = NOW.replace(hour=15, minute=59), NOW.replace(hour=16, minute=0)
    await add(
        database,
        Made("c1", before, first=61),
        Made("c2", before, first=None),
        Made("c3", after, first=30, second=20, second_callee=B, callee=A),
    )
    clock.pass_(hours=24)
    await settling(database, clock).settle()

    days = await database.read(lambda session: ratings.usage(session, ACCOUNT, "2026-11-01", "2026-11-30"))

    summed = [
        (row.day, row.service, row.calls, row.answered, row.legs, row.seconds, row.minutes, str(row.amount))
        for row in days
    ]
    assert summed == [
        ("2026-11-24", "notification", 2, 1, 1, 61, 2, "0.3600"),
        ("2026-11-25", "callback", 1, 1, 2, 50, 2, "0.3600"),
    ]
    assert (
        await database.read(lambda session: ratings.usage(session, "other", "2026-11-01", "2026-11-30")) == []
    )

"""The index of calls and how long calls are kept: begun anew when it must be, nothing lost, nothing left."""

import sqlite3
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from engine import database_at
from service.details.support import NOW, Desk, desk
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, select

from controller.details import index as index_module
from controller.details.index import opened_index
from controller.settings import DetailSettings, LimitSettings, RecordingSettings, Settings
from controller.store import call_index
from controller.store.billing_tables import RatedCall, Settlement
from controller.store.calls import CdrDelivery
from controller.store.database import Database
from controller.store.engines import make_engine
from controller.store.tables import (
    Call,
    CallPush,
    Cdr,
    CdrPush,
    PushAttempt,
    Recording,
    TimelineEntry,
)

pytestmark = pytest.mark.requirement("B4")

DAY = timedelta(days=1)
LONG_AGO = NOW - 63 * DAY


def in_index(calls: Desk) -> list[str]:
    with sqlite3.connect(calls.directory / "call-index.db") as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in file.execute("SELECT call_id FROM entry ORDER BY position")]


async def count(calls: Desk, table: type[Any]) -> int:
    return len(await calls.database.read(lambda session: session.exec(select(table)).all()))


async def test_B4_given_more_calls_than_a_batch_when_indexed_then_all_are_in_and_none_twice(
    calls: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "BATCH", 3)
    monkeypatch.setattr(call_index, "BLOCK", 2)
    made = [await calls.ended(NOW + timedelta(seconds=number)) for number in range(7)]

    assert (await calls.index.catch_up(), await calls.index.catch_up()) == (7, 0)
    assert in_index(calls) == made


async def test_B4_given_sealed_calls_when_all_of_a_block_are_forgotten_then_nothing_of_it_stays(
    calls: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_index, "BLOCK", 2)
    monkeypatch.setattr(index_module, "BATCH", 2)
    made = [await calls.ended(LONG_AGO + timedelta(seconds=number)) for number in range(4)]
    made += [await calls.ended(NOW)]
    await calls.index.catch_up()

    await calls.archive().purge()

    assert in_index(calls) == made[4:]
    assert await calls.find(callee="1111") == made[4:]
    with sqlite3.connect(calls.directory / "call-index.db") as file:
        tables = ("block", "piece", "posting")
        left = [file.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]
    assert left == [(0,), (0,), (0,)]


async def test_B4_given_a_crash_after_some_batches_when_started_again_then_the_index_goes_on_where_it_was(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as calls:
        made = [await calls.ended()]
        await calls.index.catch_up()
        made += [await calls.ended(NOW + timedelta(seconds=1))]
    async with desk(tmp_path) as calls:
        assert await calls.index.catch_up() == 1
        assert in_index(calls) == made


@pytest.mark.parametrize("damage", ["missing", "broken", "cut", "older"])
async def test_B4_given_an_unusable_index_when_opened_then_it_is_made_anew(
    tmp_path: Path, damage: str
) -> None:
    async with desk(tmp_path) as calls:
        made = await calls.ended()
        await calls.index.catch_up()
    file = tmp_path / "call-index.db"
    if damage == "missing":
        file.unlink()
    elif damage == "broken":
        file.write_bytes(b"no database" * 1000)
    elif damage == "cut":
        file.write_bytes(file.read_bytes()[:5000])
    else:
        with sqlite3.connect(file) as old:
            old.execute(f"PRAGMA user_version = {call_index.LAYOUT.version + 1}")
    async with desk(tmp_path) as calls:
        assert await calls.index.catch_up() == 1
        assert await calls.find(callee="1111") == [made]


@pytest.mark.parametrize("later", [0, 5])
async def test_B4_given_an_index_of_another_database_when_opened_then_it_is_made_anew(
    tmp_path: Path, later: int
) -> None:
    """As after a backup was restored: what the index has came later, or never."""
    old, restored = tmp_path / "old", tmp_path / "restored"
    for folder in (old, restored):
        folder.mkdir()
    async with desk(old) as calls:
        await calls.ended(id="1_lost_1")
        await calls.ended(id="1_lost_2")
        await calls.index.catch_up()
    async with desk(restored) as calls:
        made = [await calls.ended(id=f"1_kept_{number}") for number in range(1 + later)]
        async with opened_index(calls.database, old / "call-index.db") as index:
            assert await index.catch_up() == len(made)


async def test_B4_given_old_calls_when_purged_then_all_that_hangs_on_them_is_gone_and_newer_ones_stay(
    calls: Desk,
) -> None:
    old = await calls.begin(LONG_AGO)
    delivery = CdrDelivery("https://customer.example/fee", LONG_AGO)
    await calls.end(old, LONG_AGO, delivery=delivery)
    new = await calls.ended(NOW - 61 * DAY)
    await calls.index.catch_up()

    def more(session: Session) -> None:
        session.add(CallPush(call_id=old))
        session.add(
            PushAttempt(
                call_id=old,
                message_id="m",
                app_key="acme-1",
                url="https://customer.example/fee",
                event_type="fee",
                attempt=1,
                at=LONG_AGO,
                latency_ms=1,
            )
        )
        session.add(recording(old, "purged"))
        session.add(Settlement(id=1, started_at=LONG_AGO, until=LONG_AGO))
        session.flush()
        session.add(rated(old))
        push = session.get(CdrPush, old)
        assert push is not None
        push.due_at = None

    await calls.database.write(more)

    assert await calls.archive().purge() == 1
    assert await calls.find() == [new] == in_index(calls)
    for table, left in ((Call, 1), (Cdr, 1), (TimelineEntry, 1)):
        assert await count(calls, table) == left
    for table in (CallPush, CdrPush, PushAttempt, Recording):
        assert await count(calls, table) == 0
    assert await count(calls, RatedCall) == 1  # What a call cost stays in the books.


def rated(call_id: str) -> RatedCall:
    return RatedCall(
        call_id=call_id,
        settlement_id=1,
        account_id="acme",
        app_key="acme-1",
        service="notification",
        ended_at=LONG_AGO,
        day="2026-09-22",
        legs=1,
        seconds=20,
        minutes=1,
        minute_price=Decimal("0.18"),
        amount=Decimal("0.18"),
    )


def recording(call_id: str, state: str) -> Recording:
    return Recording(
        call_id=call_id, account_id="acme", name=f"{call_id}.wav", node="node1", state=state, started_at=NOW
    )


@pytest.mark.parametrize("state", ["pending", "fetched", "stored", "discard"])
async def test_B4_given_an_old_call_with_a_recording_on_disk_when_purged_then_it_stays_until_the_file_is_gone(
    calls: Desk, state: str
) -> None:
    old = await calls.ended(LONG_AGO)
    gone = await calls.ended(LONG_AGO + timedelta(seconds=1))
    await calls.index.catch_up()
    await calls.database.write(lambda session: session.add(recording(old, state)))

    assert await calls.archive().purge() == 1
    assert await calls.find() == [old]
    assert gone not in in_index(calls)


async def test_B4_given_an_old_cdr_that_is_being_delivered_when_purged_then_it_stays(calls: Desk) -> None:
    old = await calls.begin(LONG_AGO)
    await calls.end(old, LONG_AGO, delivery=CdrDelivery("https://customer.example/fee", LONG_AGO))

    assert await calls.archive().purge() == 0
    assert await calls.find() == [old]


async def test_B4_given_a_live_call_that_began_long_ago_when_purged_then_it_stays(calls: Desk) -> None:
    live = await calls.begin(LONG_AGO)

    assert await calls.archive().purge() == 0
    assert await calls.find() == [live]


async def test_B4_given_more_old_calls_than_a_batch_when_purged_then_all_go(calls: Desk) -> None:
    for number in range(230):
        await calls.ended(LONG_AGO - timedelta(seconds=number))
    await calls.index.catch_up()

    assert await calls.archive().purge() == 230
    assert in_index(calls) == []


async def test_B4_given_all_calls_purged_when_numbers_begin_again_then_new_calls_are_found(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path) as calls:
        for _ in range(3):
            await calls.ended(LONG_AGO)
        await calls.index.catch_up()
        assert await calls.archive().purge() == 3
    async with desk(tmp_path) as calls:
        new = await calls.ended(id="1_new_1")
        await calls.index.catch_up()
        assert await calls.find() == [new]


async def test_B4_given_all_calls_purged_while_running_when_a_call_ends_then_it_is_found(
    calls: Desk,
) -> None:
    for _ in range(3):
        await calls.ended(LONG_AGO)
    await calls.index.catch_up()
    await calls.archive().purge()
    new = await calls.ended(id="1_new_1")
    await calls.index.catch_up()

    assert await calls.find() == [new]


def test_B4_given_details_kept_for_less_than_recordings_when_set_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match=r"details\.keep_days 5 is less than recordings\.keep_days 7"):
        Settings(details=DetailSettings(keep_days=5), recordings=RecordingSettings(keep_days=7))


def test_B4_given_the_shipped_settings_when_read_then_calls_are_kept_for_two_months_at_least() -> None:
    assert Settings().details.keep_days >= 62


async def test_given_a_database_of_before_when_migrated_then_cdrs_have_numbers_in_the_order_of_their_ends(
    tmp_path: Path,
) -> None:
    from controller.store.schema import migrate

    url = database_at(tmp_path / "old.db")
    migrate(url, "0010")
    engine = make_engine(url)
    with engine.begin() as connection:
        old = connection.exec_driver_sql
        old("INSERT INTO account (id, name, active) VALUES ('acme', '', true)")
        old(
            "INSERT INTO app (key, account_id, name, service, secret, active, recording, max_calls, "
            "push_profile, webhook_secrets) VALUES "
            "('a', 'acme', '', 'notification', 's', true, false, 10, 'compat', '[]')"
        )
        for name, at in (("late", "2026-11-02 00:00:00"), ("early", "2026-11-01 00:00:00")):
            old(
                "INSERT INTO call (id, session_id, account_id, app_key, service, controller, node, "
                "display_number, callee, push_profile, accepted_at) VALUES "
                f"('{name}', '{name}', 'acme', 'a', 'notification', 'h', 'n', '+861', '+862', 'compat', "
                f"'{at}')"
            )
            old(f"INSERT INTO cdr VALUES ('{name}', 'a', '{at}', '{{\"kept\": true}}')")
            old(
                "INSERT INTO cdr_push (call_id, app_key, url, ended_at, attempts, message_id) "
                f"VALUES ('{name}', 'a', 'u', '{at}', 3, 'm')"
            )

        old("INSERT INTO settlement (id, started_at, until) VALUES (1, '2026-11-02', '2026-11-02')")
        old(
            "INSERT INTO rated_call VALUES ('early', 1, 'acme', 'a', 'notification', '2026-11-01 00:00:00', "
            "'2026-11-01', 1, 20, 1, 18, 18)"
        )

    migrate(url)

    with engine.connect() as connection:
        rated = connection.exec_driver_sql("SELECT call_id FROM rated_call")
        assert [tuple(row) for row in rated] == [("early",)]
        with pytest.raises(DBAPIError, match="never changed"):
            connection.exec_driver_sql("DELETE FROM rated_call")
    engine.dispose()
    async with Database(url) as database:
        found = await database.read(
            lambda session: [
                (row.number, row.call_id, row.record)
                for row in session.exec(select(Cdr).order_by("number")).all()
            ]
        )
        pushes = await database.read(
            lambda session: [(push.call_id, push.attempts) for push in session.exec(select(CdrPush)).all()]
        )
    assert found == [(1, "early", {"kept": True}), (2, "late", {"kept": True})]
    assert sorted(pushes) == [("early", 3), ("late", 3)]


@pytest.mark.requirement("A4.4")
def test_A44_given_a_window_longer_than_calls_are_kept_when_set_then_it_is_refused() -> None:
    limits = LimitSettings(callee_frequency="refuse", callee_windows=["3/24h", "10/93d"])
    with pytest.raises(ValueError, match=r"limits\.callee_windows: 10/93d counts calls for longer than"):
        Settings(limits=limits)
    assert Settings(limits=limits, details=DetailSettings(keep_days=93)).details.keep_days == 93
    # What is off counts nothing.
    Settings(limits=LimitSettings(callee_windows=["10/93d"]))

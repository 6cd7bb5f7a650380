"""The journal while the database is in trouble."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from engine import copy_database, database_at
from unit.store.support import NOW, accept, call_row

from controller.store.calls import timeline
from controller.store.database import Database
from controller.store.journal import Journal
from controller.store.limits import Limits


class Troubled:
    """Takes writes, or fails them with `error`."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.tried = 0
        self.written: list[int] = []

    async def write(self, work: Callable[[Any], None], *, patience: float = 0.0) -> None:
        del patience
        self.tried += 1
        if self.error is not None:
            raise self.error
        session = Session()
        work(session)
        self.written += session.sequences


class Session:
    """Stands for a session of a driver that is no SQLAlchemy one."""

    def __init__(self) -> None:
        self.sequences: list[int] = []


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    copy_database(template, tmp_path / "test.db")
    async with Database(database_at(tmp_path / "test.db"), synchronous="NORMAL") as opened:
        yield opened


@pytest.fixture
def troubled(monkeypatch: pytest.MonkeyPatch) -> Troubled:
    def add_entries(session: Session, entries: list[dict[str, int]]) -> None:
        session.sequences += [entry["sequence"] for entry in entries]

    monkeypatch.setattr("controller.store.journal.add_entries", add_entries)
    monkeypatch.setattr("controller.store.journal.add_missing_entries", add_entries)
    monkeypatch.setattr("controller.store.journal._AGAIN", 0.02)
    return Troubled()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.005)


@pytest.mark.requirement("E4")
async def test_given_a_disk_that_is_full_when_it_has_room_again_then_every_entry_is_written_in_order(
    troubled: Troubled,
) -> None:
    troubled.error = sqlite3.OperationalError("database or disk is full")
    async with Journal(troubled) as journal:  # type: ignore[arg-type]
        await journal.add_now({"sequence": 1})
        # Whoever waits for it goes on: the customer is told all the same.
        await journal.add_now({"sequence": 2})
        await until(lambda: troubled.tried > 3)
        troubled.error = None
        await until(lambda: bool(troubled.written))
        await journal.add_now({"sequence": 3})

    assert troubled.written == [1, 2, 3]


async def test_given_entries_against_the_rules_of_the_table_when_written_then_they_hold_up_nobody(
    troubled: Troubled,
) -> None:
    troubled.error = sqlite3.IntegrityError("FOREIGN KEY constraint failed")
    async with Journal(troubled) as journal:  # type: ignore[arg-type]
        await journal.add_now({"sequence": 1})
        troubled.error = None
        await journal.add_now({"sequence": 2})

    assert (troubled.tried, troubled.written) == (2, [2])


@pytest.mark.requirement("E4")
async def test_given_entries_of_a_call_that_the_database_has_lost_when_written_then_all_others_are(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    kept, lost = call_row(), "a call that was lost in a failover"
    await accept(database, Limits(1), kept)
    sequences = range(1, 12)
    async with Journal(database) as journal:
        for sequence in sequences:
            for call_id in (kept["id"], lost) if sequence in (3, 9) else (kept["id"],):
                entry = {"call_id": call_id, "sequence": sequence, "at": NOW, "kind": "answer"}
                written = journal.add({**entry, "leg": None, "detail": None})
        await written

    found = await database.read(lambda session: [its.sequence for its in timeline(session, kept["id"])])
    assert found == [*sequences]
    said = [(record.call, record.sequence) for record in caplog.records]  # type: ignore[attr-defined]
    assert sorted(said) == [(lost, 3), (lost, 9)]


@pytest.mark.requirement("E4")
async def test_given_entries_whose_commit_is_not_answered_when_more_come_then_all_are_there_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.store.journal._AGAIN", 0.02)
    row = call_row()
    await accept(database, Limits(1), row)
    write, lost = database.write, asyncio.Event()

    async def done_and_lost(work: Callable[[Any], None], *, patience: float = 0.0) -> None:
        await write(work, patience=patience)
        if not lost.is_set():
            lost.set()
            raise sqlite3.OperationalError("server closed the connection")

    monkeypatch.setattr(database, "write", done_and_lost)
    async with Journal(database) as journal:
        for sequence in (1, 2, 3):
            entry = {"call_id": row["id"], "sequence": sequence, "at": NOW, "kind": "prompt"}
            await journal.add_now({**entry, "leg": None, "detail": None})
        await until(lambda: not journal._entries)

    found = await database.read(lambda session: [its.sequence for its in timeline(session, row["id"])])
    assert lost.is_set()
    assert found == [1, 2, 3]


async def test_given_a_database_that_stays_away_when_closed_then_that_takes_no_time(
    troubled: Troubled, caplog: pytest.LogCaptureFixture
) -> None:
    troubled.error = sqlite3.OperationalError("disk I/O error")
    async with asyncio.timeout(5), Journal(troubled) as journal:  # type: ignore[arg-type]
        await journal.add_now({"sequence": 1})

    assert "Timeline entries are lost" in caplog.text

"""What the benchmarks' stored calls leave in a database: as much as the product's own, up to now."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.stored_calls import DAYS, StoredCalls
from controller.store.database import Database

CALLS = 620


@pytest.fixture
def stored(tmp_path: Path) -> StoredCalls:
    return StoredCalls(tmp_path, CALLS, server=None)


async def test_given_stored_calls_when_made_then_they_end_now_and_all_that_calls_leave_is_there(
    stored: StoredCalls,
) -> None:
    await stored.made()

    with closing(sqlite3.connect(stored.file)) as database:

        def found(query: str) -> tuple:
            return database.execute(query).fetchone()

        first, last = (
            datetime.fromisoformat(f"{text}+00:00")
            for text in found("SELECT min(accepted_at), max(accepted_at) FROM call")
        )
        now, a_call = datetime.now(UTC), timedelta(days=DAYS) / CALLS
        assert now - a_call - timedelta(minutes=1) < last < now
        assert last - first > timedelta(days=DAYS) - 2 * a_call
        assert found(
            "SELECT count(*) FROM cdr LEFT JOIN rated_call USING (call_id) WHERE settlement_id > 0"
        ) == (CALLS,)
        attempts, pushed, oldest = found(
            "SELECT count(*), count(DISTINCT call_id), min(at) FROM push_attempt"
        )
        assert attempts == 4 * pushed
        assert pushed == pytest.approx(CALLS * 14 / DAYS, abs=2)
        assert now - datetime.fromisoformat(f"{oldest}+00:00") == pytest.approx(
            timedelta(days=14), abs=a_call
        )
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_given_a_folder_of_days_ago_when_its_age_is_asked_for_then_it_is_told_what_to_do(
    stored: StoredCalls, capsys: pytest.CaptureFixture[str]
) -> None:
    url = await stored.made()
    async with Database(url) as database:
        assert abs(await stored.age(database)) < timedelta(hours=4)
        assert capsys.readouterr().err == ""

        with closing(sqlite3.connect(stored.file)) as file, file:
            file.execute("UPDATE call SET accepted_at = datetime(accepted_at, '-3 days')")
        assert await stored.age(database) == pytest.approx(timedelta(days=3), abs=timedelta(hours=4))
    assert "3.0 days old" in (told := capsys.readouterr().err)
    assert "Remove the folder" in told

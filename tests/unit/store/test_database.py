"""The database port: order, group commit, isolation of failures, durability at close."""

import asyncio
import os
import sqlite3
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col
from unit.support import lose_commit_answers, soon

from controller.store import persistent
from controller.store.database import Database, _Pace
from controller.store.engines import make_engine
from controller.store.errors import DatabaseClosed, DatabaseUnusable
from controller.store.persistent import write_persistently
from controller.store.schema import migrate, revisions
from controller.store.tables import Account, UsedNonce


def add(name: str):
    def work(session: Session) -> str:
        session.add(Account(id=name))
        session.flush()
        return name

    return work


def names(session: Session) -> list[str]:
    return list(session.execute(select(col(Account.id)).order_by(col(Account.id))).scalars())


async def test_given_many_writes_at_once_when_they_meet_then_few_transactions_carry_them_all(
    database: Database,
) -> None:
    commits = 0

    def count(_connection: object) -> None:
        nonlocal commits
        commits += 1

    event.listen(database._engine, "commit", count)
    results = await asyncio.gather(*(database.write(add(f"a{index:03}")) for index in range(200)))

    assert results == [f"a{index:03}" for index in range(200)]
    assert await database.read(names) == results
    assert commits <= 5


async def test_given_a_write_with_patience_when_another_without_comes_then_one_transaction_carries_both(
    database: Database,
) -> None:
    commits: list[object] = []
    event.listen(database._engine, "commit", commits.append)

    patient = asyncio.create_task(database.write(add("patient"), patience=60))
    await asyncio.sleep(0)
    await database.write(add("urgent"))

    assert await patient == "patient"
    assert len(commits) == 1


async def test_given_a_write_with_patience_when_no_other_comes_then_it_is_committed_all_the_same(
    database: Database,
) -> None:
    first = asyncio.create_task(database.write(add("first"), patience=60))
    await asyncio.sleep(0)

    assert await database.write(add("second"), patience=0.01) == "second"
    assert await first == "first"


async def test_given_a_write_that_fails_when_told_then_none_of_its_values_is_in_the_message(
    database: Database,
) -> None:
    await database.write(add("+8613900001111"))

    with pytest.raises(IntegrityError) as failed:
        await database.write(add("+8613900001111"))

    assert "13900001111" not in str(failed.value)


async def test_given_one_failing_write_in_a_group_when_committed_then_only_that_one_fails(
    database: Database,
) -> None:
    outcomes = await asyncio.gather(
        database.write(add("x")), database.write(add("x")), database.write(add("y")), return_exceptions=True
    )

    assert outcomes[0] == "x"
    assert isinstance(outcomes[1], Exception)
    assert outcomes[2] == "y"
    assert await database.read(names) == ["x", "y"]


@pytest.mark.requirement("E2")
async def test_given_a_connection_that_breaks_at_a_commit_when_a_group_is_written_then_nothing_is_done_twice(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers_lost = lose_commit_answers(database, monkeypatch, 1)
    outcomes = await asyncio.gather(
        database.write(add("x")), database.write(add("y")), return_exceptions=True
    )

    assert [str(outcome) for outcome in outcomes] == ["connection lost"] * 2
    assert answers_lost == []
    assert await database.read(names) == ["x", "y"]
    assert await database.write(add("z")) == "z"


async def test_given_a_caller_who_goes_away_when_its_write_is_under_way_then_it_is_done_all_the_same(
    database: Database,
) -> None:
    task = asyncio.create_task(database.write(add("kept")))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.write(lambda _session: None)

    assert await database.read(names) == ["kept"]


async def test_given_writes_under_way_when_the_database_is_closed_then_they_are_there(
    database_url: str,
) -> None:
    async with Database(database_url) as database:
        writes = [asyncio.create_task(database.write(add(f"a{index}"))) for index in range(10)]
        await asyncio.sleep(0)
    await asyncio.gather(*writes)

    async with Database(database_url) as database:
        assert len(await database.read(names)) == 10


async def test_given_a_read_that_begins_as_the_database_is_closed_when_done_then_it_leaves_nothing_open(
    database_url: str,
) -> None:
    async with Database(database_url) as database:
        await database.read(names)

    # What its thread does.
    assert database._read(names) == []
    assert database._engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    with pytest.raises(DatabaseClosed):
        await database.read(names)


@pytest.mark.requirement("E2")
async def test_E2_given_files_that_hang_in_every_thread_of_the_loop_when_the_database_is_read_then_it_is(
    database: Database,
) -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    mounted = Event()
    hangs = asyncio.create_task(asyncio.to_thread(mounted.wait))
    try:
        assert await soon(database.read(names)) == []
    finally:
        mounted.set()
        await hangs


async def test_given_a_database_that_is_away_when_closed_then_nothing_of_it_runs_on(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: Database, _group: object) -> None:
        raise OSError("away")

    async with Database(database_url):
        monkeypatch.setattr(Database, "_commit", away)

    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.requirement("E4")
async def test_E4_given_a_write_that_must_happen_when_the_database_is_closed_then_it_is_tried_no_more(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_self: Database, _group: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(persistent, "_RETRY", (0.0, 0.0))
    async with Database(database_url) as database:
        monkeypatch.setattr(Database, "_commit", away)
        writes = [
            asyncio.create_task(write_persistently(database, add(name), "An account")) for name in "abc"
        ]
        await asyncio.sleep(0)

    with pytest.raises(DatabaseClosed):
        await database.write(add("late"))
    ends = await asyncio.wait_for(asyncio.gather(*writes, return_exceptions=True), 5)
    assert [type(end) for end in ends] == [DatabaseClosed] * 3


async def test_given_a_database_when_migrated_then_it_is_at_the_newest_revision(
    database_url: str,
) -> None:
    present, newest = revisions(database_url)

    assert present == newest


async def test_given_a_time_when_stored_then_it_comes_back_in_utc(database: Database) -> None:
    moment = datetime(2026, 11, 23, 20, 0, 0, 123456, tzinfo=timezone(timedelta(hours=8)))

    await database.write(lambda session: session.add(UsedNonce(app_key="a", nonce="n", expires_at=moment)))
    found = await database.read(lambda session: session.get(UsedNonce, ("a", "n")))

    assert found is not None
    assert found.expires_at == moment
    assert found.expires_at.tzinfo is UTC


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if path.is_file()}


async def test_given_a_usual_umask_when_a_database_is_made_then_its_files_are_its_owners_alone(
    tmp_path: Path,
) -> None:
    before = os.umask(0o022)
    try:
        migrate(made := f"sqlite:///{tmp_path}/new/test.db")
        async with Database(made) as database:
            await database.write(add("a"))
            found = modes(tmp_path / "new")
    finally:
        os.umask(before)

    assert found == {"test.db": 0o600, "test.db-wal": 0o600, "test.db-shm": 0o600}


@pytest.mark.engine("sqlite")
async def test_given_a_database_that_others_could_read_when_it_is_opened_then_they_can_no_longer(
    database_url: str, tmp_path: Path
) -> None:
    async with Database(database_url) as database:
        await database.write(add("a"))
        for path in tmp_path.iterdir():
            path.chmod(0o644)
        async with Database(database_url):
            found = modes(tmp_path)

    assert set(found.values()) == {0o600}
    assert len(found) == 3


def no_database(folder: Path) -> str:
    (folder / "x.db").write_text("This is a letter. " * 100)
    return f"sqlite:///{folder}/x.db"


def newer(folder: Path) -> str:
    migrate(made := f"sqlite:///{folder}/x.db", "0001")
    with sqlite3.connect(folder / "x.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    return made


def no_folder(folder: Path) -> str:
    (folder / "file").touch()
    return f"sqlite:///{folder}/file/x.db"


FAULTS = {
    "no database": (no_database, "x.db: file is not a database"),
    "newer": (newer, "the database has schema 9999, this program knows"),
    "no folder": (no_folder, "file can't be used"),
    "a folder": (lambda folder: f"sqlite:///{folder}", "Is a directory"),
    "no address": (lambda _folder: "hunter2", "database.url is no SQLAlchemy address"),
    "no number": (lambda _folder: "postgresql://u:hunter2@h:port/x", "database.url is no SQLAlchemy address"),
    "no server": (lambda folder: f"postgresql://u@/x?host={folder}&password=hunter2", "No such file"),
    "unknown": (lambda _folder: "cobol://u:hunter2@h/x", "there is no database called cobol"),
    "no driver": (lambda _folder: "oracle+nothing://u:hunter2@h/x", "no database called oracle+nothing"),
    "no package": (lambda _folder: "mssql+pymssql://u:hunter2@h/x", "needs the package pymssql"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("use", [migrate, revisions])
def test_given_a_database_that_is_none_when_used_then_one_line_says_what_is_wrong_without_its_password(
    use: Callable[[str], object], fault: str, tmp_path: Path
) -> None:
    make, said = FAULTS[fault]

    with pytest.raises(DatabaseUnusable) as refused:
        use(make(tmp_path))

    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert "hunter2" not in str(refused.value)


ELSEWHERE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
print(connection.execute("SELECT count(*) FROM account").fetchone()[0])
connection.close()
"""


async def counted_elsewhere(path: Path) -> int:
    """How many accounts another process finds, as a command beside a running controller does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", ELSEWHERE, str(path), stdout=asyncio.subprocess.PIPE
    )
    said, _none = await process.communicate()
    return int(said)


@pytest.mark.requirement("B2", "E4")
async def test_B2_given_a_file_that_is_opened_a_second_time_when_a_command_ends_then_nothing_written_is_lost(
    tmp_path: Path,
) -> None:
    path = tmp_path / "voicecall.db"
    url = f"sqlite:///{path}"
    migrate(url)
    async with Database(url) as database:
        await database.write(add("before"))
        async with Database(url) as second:
            await second.read(names)
        # The last to close it, as far as locks tell, would take the log away from under the first.
        assert await counted_elsewhere(path) == 1

        await database.write(add("afterwards"))

        assert await counted_elsewhere(path) == 2
    assert await counted_elsewhere(path) == 2


@pytest.mark.requirement("E2")
@pytest.mark.parametrize(
    ("query", "named"),
    [("", 10_000), ("?tcp_user_timeout=3000&sslmode=disable", "3000")],
    ids=["ours", "theirs"],
)
def test_E2_given_a_server_whose_machine_may_go_when_connected_to_then_that_is_noticed_in_seconds(
    query: str, named: object
) -> None:
    asked: dict[str, object] = {}

    def connect(_dialect: object, _record: object, _args: object, parameters: dict[str, object]) -> None:
        asked.update(parameters)
        raise OSError

    engine = make_engine(f"postgresql://voicecall@db.example/voicecall{query}")
    event.listen(engine, "do_connect", connect)
    with pytest.raises(OSError):
        engine.connect()
    assert asked["tcp_user_timeout"] == named
    assert asked["keepalives_idle"] == 5


def test_given_many_writes_a_second_when_groups_begin_then_they_are_farther_apart_for_as_long() -> None:
    pace, now, carried = _Pace(), 1000.0, 0.0
    pace.begin(now, 1)
    apart = []
    for writes_a_second in (200, 400, 200):
        until = now + 3.0
        while now < until:
            carried += writes_a_second * (pace.next_at - now)
            now, writes = pace.next_at, int(carried)
            carried -= writes
            pace.begin(now, writes)
        apart.append(pace.next_at - now)

    assert apart == pytest.approx([0.012, 0.03, 0.012])

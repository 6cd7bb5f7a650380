"""The schema is changed beside somebody who holds tables, as `pg_dump` does: nobody else waits for that."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from threading import Event

import psycopg
import pytest
from engine import copy_database
from typer.testing import CliRunner

from controller import patience
from controller.cli import app
from controller.patience import patiently
from controller.store import held_tables, schema
from controller.store.errors import TablesInUse
from controller.store.schema import downgrade, known, migrate, revisions

pytestmark = [pytest.mark.engine("postgresql"), pytest.mark.requirement("E2", "E4")]

OLDER = "0022"
HELD = "platform_user"
"""What is changed on the way from there, after other tables."""

_LIMIT = 60
"""Seconds, for what takes a few."""


@contextlib.contextmanager
def session_of(url: str, name: str, **settings: str) -> Iterator["psycopg.Connection[tuple[int]]"]:
    options = " ".join(f"-c {setting}={value}" for setting, value in settings.items())
    with psycopg.connect(
        url.replace("+psycopg", ""), autocommit=True, application_name=name, options=options
    ) as connection:
        yield connection


@contextlib.contextmanager
def dump_of(url: str, **settings: str) -> Iterator["psycopg.Connection[tuple[int]]"]:
    """Holds a table as a dump does, until it ends or the block does."""
    with session_of(url, "pg_dump", **settings) as connection:
        connection.execute("BEGIN")
        connection.execute(f"LOCK TABLE {HELD} IN ACCESS SHARE MODE")
        yield connection


async def somebody_waits(url: str, table: str) -> None:
    """Wait until somebody does for a lock on this table, which the server tells those who ask."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
    with session_of(url, "test") as connection:
        async with asyncio.timeout(_LIMIT):
            while connection.execute(waiting, (table,)).fetchone() == (0,):  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.01)


@pytest.fixture
def older(empty_template: Path, tmp_path: Path) -> str:
    """The address of a database in an older schema."""
    url = copy_database(empty_template, tmp_path / "test.db")
    downgrade(url, OLDER)
    return url


@pytest.fixture
async def said(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator["asyncio.Queue[str]"]:
    """What is said while tables are in use; there is no pause after it."""
    lines: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(patience, "PAUSE", 0.0)
    monkeypatch.setattr(patience, "say", lambda text, _level: lines.put_nowait(text))
    yield lines


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """One short try."""
    monkeypatch.setattr(held_tables, "LOCK_TIMEOUT", 0.05)
    monkeypatch.setattr(patience, "PATIENCE", 0.0)


async def test_E4_given_a_table_that_a_dump_holds_when_migrated_then_others_get_on_and_it_is_after_the_dump(
    older: str, said: "asyncio.Queue[str]"
) -> None:
    with dump_of(older) as dump, session_of(older, "reader", lock_timeout="10s") as reader:
        migrating = asyncio.create_task(patiently(partial(migrate, older)))
        await somebody_waits(older, HELD)
        await asyncio.to_thread(reader.execute, f"SELECT count(*) FROM {HELD}")
        line = await asyncio.wait_for(said.get(), _LIMIT)
        assert not migrating.done()
        assert revisions(older)[0] == OLDER
        dump.execute("ROLLBACK")
        await asyncio.wait_for(migrating, _LIMIT)
        holder = dump.info.backend_pid

    assert f"tables are in use by pg_dump (process {holder} of the server): {HELD}." in line
    assert revisions(older)[0] == known()[-1]


@pytest.mark.usefixtures("hasty")
async def test_E4_given_a_table_that_stays_held_when_migrated_then_it_says_who_to_end_and_nothing_is_changed(
    older: str,
) -> None:
    with dump_of(older) as dump, session_of(older, "") as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE account, app, call, cdr, template IN ACCESS SHARE MODE")
        with pytest.raises(TablesInUse) as refused:
            await patiently(partial(migrate, older))
        by_dump = f"by pg_dump (process {dump.info.backend_pid} of the server): {HELD}"
        by_other = (
            f"by voicecall (process {other.info.backend_pid} of the server): account, app, call and 2 more"
        )

    assert f"tables are in use {by_dump}; {by_other}. " in str(refused.value)
    assert "end them (SELECT pg_terminate_backend(PROCESS))" in str(refused.value)
    assert revisions(older)[0] == OLDER


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("words", [["apply", "empty.toml"], ["database", "downgrade", "0020"]], ids=" ".join)
async def test_E4_given_a_table_that_stays_held_when_a_command_changes_the_schema_then_it_says_so(
    older: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOICECALL_DATABASE__URL", older)
    Path("empty.toml").touch()
    with dump_of(older) as dump:
        dump.execute("LOCK TABLE cdr_push, controller IN ACCESS SHARE MODE")
        done = await asyncio.to_thread(CliRunner().invoke, app, words)

    assert done.exit_code == 2
    assert "tables are in use by pg_dump" in done.output
    assert revisions(older)[0] == OLDER


async def test_E4_given_a_controller_that_waits_for_a_table_when_it_is_told_to_end_then_it_ends_at_once(
    older: str, tmp_path: Path
) -> None:
    with dump_of(older):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controller", "serve"),
            env={
                **os.environ,
                "VOICECALL_DATA_DIR": str(tmp_path),
                "VOICECALL_DATABASE__URL": older,
                "VOICECALL_HTTP__PORT": "0",
            },
            cwd=tmp_path,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        try:
            async with asyncio.timeout(_LIMIT):
                line = await process.stderr.readline()
                process.send_signal(signal.SIGTERM)
                last = await process.stderr.read()
                assert await process.wait() == 2
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    assert b"The database's schema is to be changed, but tables are in use by pg_dump" in line
    assert b"can't serve: asked to end while tables are in use" in last
    assert revisions(older)[0] == OLDER


async def test_E4_given_a_dump_that_goes_on_to_a_table_that_is_changed_when_both_wait_then_the_dump_goes_on(
    older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_tables, "LOCK_TIMEOUT", _LIMIT)
    has_one, go_on = Event(), Event()

    def change() -> None:
        with schema._changing(older) as connection:
            connection.exec_driver_sql("LOCK TABLE account")
            has_one.set()
            assert go_on.wait(_LIMIT)
            connection.exec_driver_sql(f"LOCK TABLE {HELD}")

    with dump_of(older, deadlock_timeout="50s") as dump:
        changing = asyncio.create_task(asyncio.to_thread(change))
        assert await asyncio.to_thread(has_one.wait, _LIMIT)
        dumping = asyncio.create_task(
            asyncio.to_thread(dump.execute, "LOCK TABLE account IN ACCESS SHARE MODE")
        )
        await somebody_waits(older, "account")
        go_on.set()
        with pytest.raises(TablesInUse):
            await asyncio.wait_for(changing, _LIMIT)
        await asyncio.wait_for(dumping, _LIMIT)

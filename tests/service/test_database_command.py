"""`voicecall database downgrade`: back to the schema of an older version, never beside a controller."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from click.testing import Result
from engine import copy_database, database_at, engine_name
from sqlalchemy import inspect
from sqlmodel import Session, col, select
from typer.testing import CliRunner
from unit.store.filled import CALLS, fill

from controller import succession
from controller.cli import app
from controller.clock import SystemClock
from controller.membership import onlooker
from controller.membership.onlooker import ControllersRun, none_runs
from controller.settings import Settings
from controller.store import controllers
from controller.store.database import Database
from controller.store.engines import make_engine
from controller.store.management_tables import User
from controller.store.schema import downgrade, known, migrate, revisions
from controller.store.tables import Account, Call

pytestmark = pytest.mark.requirement("E2", "E4")

OLDER = "0022"


@pytest.fixture(autouse=True)
def patient_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is there gives signs often, so that nobody has to be watched for long; who is gone gives none."""
    monkeypatch.setattr(succession, "_ALONE", 0.01)
    monkeypatch.setattr(onlooker, "LOOK", 0.02)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlooker, "SILENCE", dict.fromkeys(onlooker.SILENCE, 0.0))


@pytest.fixture
def filled(empty_template: Path, tmp_path: Path) -> str:
    """The address of a database with rows in all tables."""
    url = copy_database(empty_template, tmp_path / "filled.db")
    with Session(engine := make_engine(url)) as session, session.begin():
        fill(session)
    engine.dispose()
    return url


@asynccontextmanager
async def running(url: str, name: str) -> AsyncIterator[None]:
    """A controller's place on this database."""
    async with Database(url) as database, AsyncExitStack() as stack:
        settings = Settings(name=name, host_name="host.test")
        await succession.joined(settings, database, SystemClock(), pytest.fail, stack)
        yield


async def took_back(url: str, *words: str) -> Result:
    environment = {"VOICECALL_DATABASE__URL": url}
    return await asyncio.to_thread(
        CliRunner().invoke, app, ["database", "downgrade", *words], env=environment
    )


def columns(url: str, table: str) -> set[str]:
    engine = make_engine(url)
    try:
        return {column["name"] for column in inspect(engine).get_columns(table)}
    finally:
        engine.dispose()


@pytest.mark.usefixtures("at_once")
async def test_E4_given_rows_when_taken_back_and_brought_up_again_then_what_both_schemas_know_stays(
    filled: str,
) -> None:
    done = await took_back(filled, OLDER)

    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"the database has schema {known()[-1]}; taken back, ")
    assert "\n0025  which Asterisk each controller is connected to\n0024  " in done.output
    assert "\n0022  " not in done.output
    assert f"the database has schema {OLDER} now" in done.output
    assert revisions(filled)[0] == OLDER
    assert "second_factor" not in columns(filled, "platform_user")

    migrate(filled)
    async with Database(filled) as database:
        accounts = await database.read(lambda session: session.exec(select(Account.id)).all())
        calls = await database.read(lambda session: session.exec(select(Call.id)).all())
        factors = await database.read(
            lambda session: session.exec(select(User).where(col(User.second_factor).is_not(None))).all()
        )
    assert set(accounts) == {"acme", "other"}
    assert set(calls) >= set(CALLS)
    assert factors == []


async def test_E4_given_a_dry_run_when_a_schema_is_taken_back_then_it_says_what_would_be_and_nothing_is(
    filled: str,
) -> None:
    async with running(filled, "dry"):
        done = await took_back(filled, OLDER, "--dry-run")

    assert done.exit_code == 0, done.output
    assert "\n0023  second factor, and when sessions began and were used\n" in done.output
    assert done.output.endswith("nothing was changed\n")
    assert revisions(filled)[0] == known()[-1]


async def test_E2_given_controllers_that_run_when_a_schema_is_taken_back_then_it_refuses_and_names_them(
    database_url: str,
) -> None:
    async with AsyncExitStack() as stack:
        names = ["a", "b"] if engine_name() == "postgresql" else ["a"]
        for name in names:
            await stack.enter_async_context(running(database_url, name))
        done = await took_back(database_url, OLDER)
    assert done.exit_code == 2
    assert f"controllers are running: {', '.join(names)}; end them first, nothing was changed" in done.output
    assert revisions(database_url)[0] == known()[-1]

    # They have left, which nobody need wait for.
    done = await asyncio.wait_for(took_back(database_url, OLDER), 5)
    assert done.exit_code == 0, done.output
    assert "waiting" not in done.output
    assert revisions(database_url)[0] == OLDER


@pytest.mark.usefixtures("at_once")
async def test_E2_given_a_controller_that_was_killed_when_a_schema_is_taken_back_then_it_is_waited_for_once(
    database_url: str,
) -> None:
    async with Database(database_url) as database:
        await database.write(
            lambda session: controllers.join(session, "a", "voicecall-a", ["node1"], SystemClock().now())
        )
    done = await took_back(database_url, OLDER)

    assert done.exit_code == 0, done.output
    assert "not known to have ended: a; waiting" in done.output
    assert revisions(database_url)[0] == OLDER


async def test_E2_given_a_controller_that_begins_after_the_look_when_a_schema_is_taken_back_then_it_stays(
    database_url: str,
) -> None:
    check = await none_runs(database_url, known()[-1], pytest.fail)
    async with running(database_url, "late"):
        with pytest.raises(ControllersRun, match="late"):
            await asyncio.to_thread(downgrade, database_url, OLDER, check)

    assert revisions(database_url)[0] == known()[-1]


@pytest.mark.parametrize("present", ["0017", "0022"])
async def test_E2_given_a_schema_without_signs_of_life_when_taken_back_further_then_it_says_so(
    tmp_path: Path, present: str
) -> None:
    migrate(url := database_at(tmp_path / "old.db"), present)
    done = await took_back(url, "0016")

    assert done.exit_code == 0, done.output
    has_signs = present == "0022" and engine_name() == "postgresql"
    assert (f"schema {present} has no signs of life of controllers" in done.output) != has_signs
    assert revisions(url)[0] == "0016"


@pytest.mark.parametrize(
    ("present", "wanted", "status", "said"),
    [
        ("0020", "20", 2, "there is no schema 20; there are 0001, 0002, "),
        ("0020", "base", 2, "there is no schema base; "),
        ("0020", "0021", 2, "schema 0021 is newer than the database's, 0020"),
        ("0020", "0020", 0, "the database has schema 0020 already"),
        (None, "0020", 2, "the database is empty"),
    ],
)
async def test_E4_given_a_schema_that_is_not_older_when_it_is_to_be_gone_back_to_then_it_says_so(
    tmp_path: Path, present: str | None, wanted: str, status: int, said: str
) -> None:
    url = database_at(tmp_path / "some.db")
    if present:
        migrate(url, present)
    done = await took_back(url, wanted)

    assert (done.exit_code, said in done.output) == (status, True), done.output
    assert revisions(url)[0] == (present or "empty")

"""Databases that are migrated once, for all tests; `--engine postgresql` has them in PostgreSQL."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine import ENGINES, copy_database, database_at, drop_databases, engine, engine_name

if TYPE_CHECKING:
    from controller.store.database import Database

# What costs time to import is imported where it is needed: pytest-xdist's own process reads this file, and
# needs nothing of it, before the workers start.


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--engine", choices=ENGINES, default=engine_name(), help="the database that tests run on"
    )


def pytest_configure() -> None:
    # What is imported while tests are collected stays: neither then nor later is it searched for garbage.
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_runtest_setup(item: pytest.Item) -> None:
    marker, used = item.get_closest_marker("engine"), item.config.getoption("--engine")
    if marker is not None and used not in marker.args:
        pytest.skip(f"only {marker.args[0]} has what this test is about, and tests run on {used}")


@pytest.fixture(scope="session", autouse=True)
def _engine(request: pytest.FixtureRequest) -> Iterator[None]:
    with engine(request.config.getoption("--engine")):
        yield


@pytest.fixture(autouse=True)
def _databases(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test has made in its folder is gone with it."""
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    if folder is not None:
        drop_databases(folder)


def pytest_collection() -> None:
    from hypothesis import settings

    # A machine that is busy with other tests is slow without anything being wrong.
    settings.register_profile("patient", deadline=None)
    settings.load_profile("patient")


@pytest.fixture(scope="session")
def empty_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with nothing in it: copying it is much faster than migrating."""
    from controller.store.schema import migrate

    path = tmp_path_factory.mktemp("empty") / "template.db"
    migrate(database_at(path))
    return path


@pytest.fixture(scope="session")
def template(empty_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with an account and an app, to be copied."""
    from unit.calls.support import add_account

    path = tmp_path_factory.mktemp("template") / "template.db"
    copy_database(empty_template, path)
    add_account(path)
    return path


@pytest.fixture
def database_url(empty_template: Path, tmp_path: Path) -> str:
    """The address of a database of the test's own, with nothing in it."""
    return copy_database(empty_template, tmp_path / "test.db")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator["Database"]:
    from controller.store.database import Database

    async with Database(database_url, synchronous="NORMAL") as opened:
        yield opened

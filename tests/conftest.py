"""Databases that are migrated once, for all tests."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from controller.store.database import Database

# What costs time to import is imported where it is needed: pytest-xdist's own process reads this file, and
# needs nothing of it, before the workers start.


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
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def template(empty_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with an account and an app, to be copied."""
    from unit.calls.support import add_account

    path = tmp_path_factory.mktemp("template") / "template.db"
    shutil.copy(empty_template, path)
    add_account(path)
    return path


@pytest.fixture
def database_url(empty_template: Path, tmp_path: Path) -> str:
    """The address of a database of the test's own, with nothing in it."""
    shutil.copy(empty_template, tmp_path / "test.db")
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator["Database"]:
    from controller.store.database import Database

    async with Database(database_url, synchronous="NORMAL") as opened:
        yield opened

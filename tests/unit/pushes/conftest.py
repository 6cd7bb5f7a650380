"""For tests of pushes."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.calls.support import make_template

from controller.store.database import Database


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the tables."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    make_template(path)
    return path


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copy(template, tmp_path / "test.db")
    async with Database(f"sqlite:///{tmp_path}/test.db", synchronous="NORMAL") as opened:
        yield opened

"""For tests of money."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine import copy_database, database_at

from controller.store.database import Database


@pytest.fixture
def database_url(template: Path, tmp_path: Path) -> str:
    copy_database(template, tmp_path / "test.db")
    return database_at(tmp_path / "test.db")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, synchronous="NORMAL") as opened:
        yield opened

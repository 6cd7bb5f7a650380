"""For tests of pushes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from engine import copy_database, database_at

from controller.store.database import Database


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    copy_database(template, tmp_path / "test.db")
    async with Database(database_at(tmp_path / "test.db"), synchronous="NORMAL") as opened:
        yield opened

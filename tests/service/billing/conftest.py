"""For tests of money."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.store.database import Database


@pytest.fixture
def database_url(template: Path, tmp_path: Path) -> str:
    shutil.copy(template, tmp_path / "test.db")
    return f"sqlite:///{tmp_path}/test.db"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, synchronous="NORMAL") as opened:
        yield opened

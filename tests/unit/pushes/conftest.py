"""For tests of pushes."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.store.database import Database


@pytest.fixture
async def database(template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    shutil.copy(template, tmp_path / "test.db")
    async with Database(f"sqlite:///{tmp_path}/test.db", synchronous="NORMAL") as opened:
        yield opened

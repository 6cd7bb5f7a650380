from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from engine import copy_database
from service.membership.support import Group


@pytest.fixture
async def group(template: Path, tmp_path: Path) -> AsyncIterator[Group]:
    async with AsyncExitStack() as stack:
        yield Group(copy_database(template, tmp_path / "shared.db"), stack)

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from service.details.support import Desk, desk


@pytest.fixture
async def calls(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(tmp_path) as opened:
        yield opened

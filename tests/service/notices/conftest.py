"""What the tests of notices start from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from service.notices.desk import Desk, opened


@pytest.fixture
async def desk(template: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    async with opened(template, tmp_path) as made:
        yield made

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from service.sounds.support import Studio, studio


@pytest.fixture
async def room(template: Path, tmp_path: Path) -> AsyncIterator[Studio]:
    async with studio(template, tmp_path) as made:
        yield made

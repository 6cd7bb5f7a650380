from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.calls.support import House, running_house

from controller.ari.fake import WAITS, FakeAsterisk


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAsterisk]:
    """An Asterisk whose phones do what the test says."""
    async with FakeAsterisk(lambda _endpoint, _variables: WAITS) as fake:
        yield fake


@pytest.fixture
async def house(asterisk: FakeAsterisk, template: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with running_house(asterisk, template, tmp_path) as house:
        yield house

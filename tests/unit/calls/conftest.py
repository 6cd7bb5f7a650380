from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from unit.calls.support import House, make_template, running_house

from controller.ari.fake import WAITS, FakeAsterisk


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database: copying it is much faster than migrating."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    make_template(path)
    return path


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAsterisk]:
    """An Asterisk whose phones do what the test says."""
    async with FakeAsterisk(lambda _endpoint, _variables: WAITS) as fake:
        yield fake


@pytest.fixture
async def house(asterisk: FakeAsterisk, template: Path, tmp_path: Path) -> AsyncIterator[House]:
    async with running_house(asterisk, template, tmp_path) as house:
        yield house

"""Worlds: one of a test's own, and one that a module's tests share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from service.management.world import World, world


@pytest.fixture
async def here(tmp_path: Path, template: Path) -> AsyncIterator[World]:
    """A world of the test's own."""
    async with world(tmp_path, template) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory, template: Path) -> AsyncIterator[World]:
    """A world that all tests of a module share."""
    async with world(tmp_path_factory.mktemp("world"), template) as made:
        yield made

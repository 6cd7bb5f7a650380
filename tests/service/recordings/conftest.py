from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from service.recordings.support import Room, made_room
from unit.support import soon

from controller.ari.fake import FakeAsterisk


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAsterisk]:
    async with FakeAsterisk() as fake:
        yield fake


@pytest.fixture
async def waiting_room(asterisk: FakeAsterisk, template: Path, tmp_path: Path) -> AsyncIterator[Room]:
    """A room whose node is not started yet."""
    async with made_room(asterisk, template, tmp_path) as room:
        yield room


@pytest.fixture
async def room(waiting_room: Room) -> AsyncIterator[Room]:
    """A room whose node is ready."""
    async with waiting_room.node:
        await soon(waiting_room.node.ari.wait_ready())
        yield waiting_room

from collections.abc import AsyncIterator

import pytest
from unit.ari.support import client_of, waiting_phones

from controller.ari import Client
from controller.ari.fake import FakeAsterisk


@pytest.fixture
async def asterisk() -> AsyncIterator[FakeAsterisk]:
    """An Asterisk whose phones do what the test says."""
    async with FakeAsterisk(waiting_phones) as fake:
        yield fake


@pytest.fixture
async def client(asterisk: FakeAsterisk) -> AsyncIterator[Client]:
    """A client that is connected."""
    async with client_of(asterisk) as client:
        await client.wait_ready()
        yield client

"""What several unit tests need."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def soon(waiting: Awaitable[T], limit: float = 5.0) -> T:
    """Await something that must not take long, so that a test that hangs tells where."""
    async with asyncio.timeout(limit):
        return await waiting

"""A world for each test, with a disk or names of its own where these are to fail."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from engine import engine_name

from controller.settings import DatabaseSettings, PushSettings
from testbed.asterisk import AsteriskProgram, obtain_asterisk
from testbed.postgresql import running_postgresql
from tests.crash.faults import Names
from tests.crash.mounts import have_own_mounts, small_disk
from tests.crash.world import World, opened_world

StartWorld = Callable[..., Awaitable[World]]
_DISK = 24
"""Megabytes."""


@pytest.fixture(scope="session")
def program() -> AsteriskProgram:
    return obtain_asterisk()


@pytest.fixture(scope="session")
def own_mounts() -> bool:
    return have_own_mounts()


@pytest.fixture
async def world(tmp_path: Path, program: AsteriskProgram, own_mounts: bool) -> AsyncIterator[StartWorld]:
    """`await world(needs)`: with a "disk", "names" or "postgresql" of its own, "few attempts", or nothing.

    Its data is where `--engine` says, unless it needs "postgresql", or "sqlite" as a "disk" does.
    """
    async with AsyncExitStack() as stack:

        async def start(needs: str = "", **changes: Any) -> World:
            if needs in ("disk", "names") and not own_mounts:
                pytest.skip("a file system or names of its own: only root can have mounts of its own")
            names, postgresql, sections = None, None, dict(changes.pop("sections", {}))
            on_postgresql = "postgresql" in (needs, engine_name())
            if on_postgresql and needs in ("sqlite", "disk"):
                pytest.skip("a fault of SQLite's files, and tests run on PostgreSQL")
            if on_postgresql:
                # It is to lose nothing that it said it had: this one writes as in earnest.
                postgresql = stack.enter_context(running_postgresql(durable=True))
            if needs == "disk":
                stack.enter_context(small_disk(tmp_path / "disk", _DISK))
                sections["database"] = DatabaseSettings(url=f"sqlite:///{tmp_path}/disk/voicecall.db")
            if needs == "few attempts":
                sections["pushes"] = PushSettings(timeout=1, cdr_attempts=4, cdr_interval=1)
            if needs == "names":
                names = Names(tmp_path)
                await stack.enter_async_context(names.in_force())
            return await stack.enter_async_context(
                opened_world(
                    tmp_path, program, names=names, postgresql=postgresql, sections=sections, **changes
                )
            )

        yield start

"""The management API over real HTTP in a thread of its own, for requests that are made without asyncio."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from engine import database_at
from service.management.world import World, world
from unit.calls.support import add_account

from controller.store.schema import migrate


class Served:
    """A world that runs while the block goes on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._ready: Future[World] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    async def _run(self) -> None:
        template = self._folder / "template.db"
        migrate(database_at(template))
        add_account(template)
        try:
            async with world(self._folder, template) as made:
                self._ready.set_result(made)
                await self._stop.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    @property
    def url(self) -> str:
        return self._ready.result().url

    def write(self, work: Any) -> Any:
        """Write to its database."""
        made = self._ready.result()
        return asyncio.run_coroutine_threadsafe(made.write(work), self._loop).result(30)

    def __enter__(self) -> "Served":
        self._thread.start()
        self._ready.result(60)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with Served(tmp_path_factory.mktemp("served")) as made:
        yield made

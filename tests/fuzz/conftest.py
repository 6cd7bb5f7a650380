"""What runs on an event loop in a thread of its own, for tests that are made without asyncio."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from engine import database_at
from service.management.world import World, world
from unit.calls.support import add_account

from controller.store.schema import migrate

T = TypeVar("T")


class Alive(Generic[T]):
    """Something that is open while the block goes on."""

    def __init__(self, opened: Callable[[], AbstractAsyncContextManager[T]]) -> None:
        self._opened = opened
        self._loop = asyncio.new_event_loop()
        self._ready: Future[T] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._live)

    def _live(self) -> None:
        # What is left when it ends is cancelled.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run())

    async def _run(self) -> None:
        try:
            async with self._opened() as made:
                self._ready.set_result(made)
                await self._stop.wait()
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise

    @property
    def made(self) -> T:
        """What is open."""
        return self._ready.result()

    def do(self, work: Coroutine[Any, Any, Any], limit: float = 30) -> Any:
        """What becomes of it on that loop, within so many seconds."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(limit)

    def __enter__(self) -> "Alive[T]":
        self._thread.start()
        self._ready.result(60)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


class Served(Alive[World]):
    """The management API and the console over real HTTP."""

    def __init__(self, folder: Path, template: Path) -> None:
        super().__init__(lambda: world(folder, template))

    @property
    def url(self) -> str:
        return self.made.url

    def write(self, work: Any) -> Any:
        """Write to its database."""
        return self.do(self.made.write(work))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    template = folder / "template.db"
    # Not in the other thread: a database server ends with the thread that started it.
    migrate(database_at(template))
    add_account(template)
    with Served(folder, template) as made:
        yield made

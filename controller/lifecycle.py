"""How parts of the controller begin and end."""

import asyncio
import contextlib
import errno
import logging
import os
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

log = logging.getLogger(__name__)


def watched(work: Coroutine[Any, Any, None], name: str | None = None) -> asyncio.Task[None]:
    """A task whose end by an error is told at once: nobody awaits it before the end of the house."""
    task = asyncio.create_task(work, name=name or getattr(work, "__qualname__", None))
    task.add_done_callback(_tell_failure)
    return task


def _tell_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical(
            "A part of the controller has ended by an error; restart it",
            exc_info=error,
            extra={"part": task.get_name()},
        )


@asynccontextmanager
async def background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Have work done until the end of the block."""
    task = watched(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def let_go(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Of work that is done, or was never begun as a start failed: Python warns of what is only forgotten."""
    for work in works:
        work.close()


@contextmanager
def naming_port(setting: str, address: str, port: int) -> Iterator[None]:
    """Have an address that can't be listened on name the setting that it comes from."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        reason = os.strerror(error.errno).lower()
        raise OSError(
            f"{setting}: can't listen on {address}:{port} ({reason}); end the program that has it, "
            "or set another one"
        ) from None

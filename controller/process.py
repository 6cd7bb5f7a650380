"""What a controller asks of its own process: no long pauses, and as many connections as it is allowed."""

import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import Iterator

_NEW_OBJECTS = 20_000
"""How many gather before they are searched for garbage: a call makes thousands, and hardly any in cycles."""


def end_when_told() -> None:
    """Let SIGTERM end this process at once, as it does every other, until somebody handles it otherwise.

    The first process of a container is spared by the kernel: one that was stopped while it began was killed
    half a minute later.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While modules are imported nothing is garbage; looking for it would take a quarter of a second."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def settle_memory() -> None:
    """Take what is there now for permanent: it is never searched for garbage again.

    A program of this size has hundreds of thousands of objects after its start, and a full collection would
    stop everything for over a tenth of a second to look at each of them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS)


def raise_file_limit() -> None:
    """As many files and connections as the system grants: receivers that hang hold hundreds each."""
    _, granted = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (granted, granted))


def file_limit() -> int:
    """How many files and connections this process may have."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if allowed == resource.RLIM_INFINITY else allowed

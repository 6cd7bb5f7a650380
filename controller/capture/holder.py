"""Who has capture.port: UDP answers nobody, so whoever listens there says so by holding a file.

The kernel lets go of it however the process ends: what is held belongs to somebody who lives.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _file(directory: Path, port: int) -> Path:
    return directory / f"capture-{port}.lock"


@contextmanager
def held_port(directory: Path, port: int) -> Iterator[None]:
    """Until the end of the block a controller that keeps its files in `directory` listens on this port."""
    with _file(directory, port).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def is_held(directory: Path, port: int) -> bool:
    """Whether such a controller listens on it now."""
    try:
        with _file(directory, port).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False

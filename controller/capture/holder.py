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
    """Until the end of the block a controller that keeps its files in `directory` listens on this port.

    Raises OSError if another one does, which must then be on another machine.
    """
    with _file(directory, port).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(
                f"capture.port: a controller on another machine keeps captures in {directory} already; of "
                "those that share data_dir one alone can: set capture.enabled = false at the others"
            ) from None
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

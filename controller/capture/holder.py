"""Who has capture.port: UDP answers nobody, so whoever listens there says so by holding a file.

The kernel lets go of it however the process ends: what is held belongs to somebody who lives.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def _lock(file: Path, port: int) -> Path:
    return file.with_name(f"{file.stem}-{port}.lock")


@contextmanager
def held_port(file: Path, port: int) -> Iterator[None]:
    """Until the end of the block the controller that keeps captures in `file` listens on this port.

    Raises OSError if another one does, which must then be on another machine.
    """
    with _lock(file, port).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(
                f"capture.port: a controller on another machine keeps captures in {file} already: "
                "controllers that share data_dir each need a name of their own"
            ) from None
        yield


def is_held(file: Path, port: int) -> bool:
    """Whether such a controller listens on it now."""
    try:
        with _lock(file, port).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False

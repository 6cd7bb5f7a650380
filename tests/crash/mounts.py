"""File systems of our own, seen by this process and those that it starts, and gone with them. Needs root."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNS = 0x00020000


def have_own_mounts() -> bool:
    """From now on this process mounts for itself alone; False if it may not.

    To be called by the main thread, before there are others that matter: each thread has mounts of its own.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() != 0 or libc.unshare(_CLONE_NEWNS) != 0:
        return False
    private = subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True)
    return private.returncode == 0


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[None]:
    """A file system of its own at `path`."""
    path.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m,mode=700", "tmpfs", str(path))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@contextmanager
def replaced(target: Path, by: Path) -> Iterator[None]:
    """`target` is another file: `by`."""
    _mount("--bind", str(by), str(target))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(target)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)

"""Recordings on disk: where they lie, and how they get there whole or not at all.

Nobody but the user of this program can read them.
"""

import contextlib
import os
import secrets
import shutil
import struct
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from controller.prompts import wav

_LARGEST_SIZE: Final = 0xFFFFFFFF
"""What a WAV header can say; players take it as "to the end of the file"."""

_LEFT_BEHIND: Final = 3600.0
"""Seconds without a byte after which nobody writes to a file any more: a fetch gives up much earlier."""

_RIFF_SIZE, _SAMPLES, _DATA_SIZE = 4, 46, 54
"""Where sizes stand in the header."""


def recording_path(directory: Path, call_id: str, started_at: datetime) -> Path:
    """Where the file of a call lies: in the folder of its day (UTC), whatever characters its id has."""
    return directory / f"{started_at.astimezone(UTC):%Y%m%d}" / f"{quote(call_id, safe='')}.wav"


def header(size: int) -> bytes:
    """The 58 bytes in front of `size` bytes of A-law."""
    made = bytearray(wav.write(b""))
    for offset, value in (
        (_RIFF_SIZE, wav.HEADER_BYTES + size + size % 2 - 8),
        (_SAMPLES, size),
        (_DATA_SIZE, size),
    ):
        struct.pack_into("<I", made, offset, min(value, _LARGEST_SIZE))
    return bytes(made)


class Parts:
    """Files that are not whole yet; each controller has a folder for each node: several can share a disk."""

    def __init__(self, directory: Path, node: str, controller: str) -> None:
        self._directory = directory
        self._folder = directory / "parts" / quote(node, safe="") / quote(controller, safe="")

    def remove_all(self) -> None:
        """Remove what an earlier run of this controller left behind."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def remove_old(self) -> None:
        """Remove what other controllers of the node left behind that are gone."""
        before = time.time() - _LEFT_BEHIND
        # They lay beside the folders once.
        for path in self._folder.parent.glob("**/*.part"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def open(self, call_id: str) -> "PartFile":
        """An empty one. Raises OSError."""
        for folder in (self._directory, *reversed(self._folder.parents[:2]), self._folder):
            _make_folder(folder)
        # Two controllers may be at the same recording: neither may write into the other's file.
        name = f"{quote(call_id, safe='')}.{secrets.token_hex(4)}.part"
        return PartFile(self._folder / name)


class PartFile:
    """A WAV file that grows. All its methods wait for the disk."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        self.size = 0
        """Bytes of A-law so far."""
        self._path = path
        self._file = open(path, "wb", buffering=2**18, opener=_private)  # noqa: SIM115
        # Its sizes are known at the end only.
        self._file.write(bytes(wav.HEADER_BYTES))

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return self.size / wav.BYTES_PER_SECOND

    def write(self, alaw: bytes) -> None:
        """More sound. Raises OSError."""
        self._file.write(alaw)
        self.size += len(alaw)

    def finish(self, target: Path) -> None:
        """Become `target`; it is on disk when this returns. Raises OSError."""
        self._file.write(bytes(self.size % 2))
        self._file.seek(0)
        self._file.write(header(self.size))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        _make_folder(target.parent)
        self._path.replace(target)
        _sync_folder(target.parent)
        _sync_folder(target.parent.parent)

    def discard(self) -> None:
        """Leave nothing behind, unless it was finished."""
        # What is still in the buffer may not fit the disk any more; nobody wants it.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def remove_recording(path: Path) -> bool:
    """Remove a file and its day's folder if that is empty; returns whether it was there. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    with contextlib.suppress(OSError):
        path.parent.rmdir()
    return True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

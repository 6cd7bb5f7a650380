"""Sound that was synthesised before, on disk, found by what it was made from.

A folder may be shared by several processes: files appear whole (written aside, then renamed) and may
disappear at any time. Spoken text can be personal data, so only the owner may read the files.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.prompts import wav
from controller.prompts.errors import SoundFileError

_KEEP_SHARE: Final = 0.9
_SECONDS_PER_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    size: int
    used: float


def key_of(*ingredients: str) -> str:
    """Key of a sound: the SHA-256 of everything that it depends on."""
    return hashlib.sha256(json.dumps(ingredients, ensure_ascii=False).encode()).hexdigest()


class SpeechCache:
    """A-law sounds in a folder of limited size; what wasn't used for longest goes first.

    Every method may block on the disk: call it from a thread.

    :param folder: is made when it isn't there.
    :param max_bytes: of all files together.
    :param max_days: what wasn't used for so many days goes, however much room there is.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int = 512 * 1024 * 1024,
        max_days: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_seconds = max_days * _SECONDS_PER_DAY
        self._clock = clock
        self._bytes: int | None = None

    def get(self, key: str) -> bytes | None:
        """The A-law bytes kept under ``key``, or None."""
        path = self._path(key)
        now = self._clock()
        try:
            if now - path.stat().st_mtime > self._max_seconds:
                path.unlink()
                return None
            file = path.read_bytes()
            os.utime(path, (now, now))
        except OSError:
            return None
        try:
            return wav.read(file)
        except SoundFileError:
            path.unlink(missing_ok=True)
            return None

    def put(self, key: str, sound: bytes) -> None:
        """Keep A-law bytes; what is there already is replaced. A full disk is an OSError."""
        file = wav.write(sound)
        path = self._path(key)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".new")
        try:
            with os.fdopen(handle, "wb") as draft:
                draft.write(file)
            now = self._clock()
            os.utime(name, (now, now))
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        self._bytes = None if self._bytes is None else self._bytes + len(file)
        if self._bytes is None or self._bytes > self._max_bytes:
            self.purge()

    def purge(self) -> None:
        """Drop what is too old, and the oldest of the rest when there is too much."""
        now = self._clock()
        entries = sorted(self._entries(), key=lambda entry: entry.used, reverse=True)
        total = sum(entry.size for entry in entries)
        limit = self._max_bytes if total <= self._max_bytes else int(self._max_bytes * _KEEP_SHARE)
        kept = 0
        for number, entry in enumerate(entries):
            fits = kept + entry.size <= limit or number == 0
            if fits and now - entry.used <= self._max_seconds:
                kept += entry.size
            else:
                entry.path.unlink(missing_ok=True)
        self._bytes = kept

    def _entries(self) -> list[_Entry]:
        entries = []
        for path in self._folder.glob("*/*.wav"):
            try:
                status = path.stat()
            except OSError:
                continue
            entries.append(_Entry(path, status.st_size, status.st_mtime))
        return entries

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.wav"

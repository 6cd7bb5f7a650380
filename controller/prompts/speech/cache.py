"""Prompts that were synthesised before, on disk as Asterisk plays them, found by what they were made from.

A folder may be shared by several processes: files appear whole (written aside, then renamed) and may
disappear at any time, except those that this process has pinned. Asterisk may run as another user, so the
files have the modes of the prompt library's: what the process's umask gives.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.prompts import wav

_KEEP_SHARE: Final = 0.9
_SECONDS_PER_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    size: int
    used: float


class SpeechCache:
    """Raw A-law files in a folder of limited size; what wasn't used for longest goes first.

    Every method but :meth:`key`, :meth:`path` and :meth:`pinned` may block on the disk: call it in a thread.

    :param folder: is made when it isn't there.
    :param secret: hides what was said from those who see the names of files, or guess them.
    :param max_bytes: of all files together.
    :param max_days: what wasn't used for so many days goes, however much room there is.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self,
        folder: Path,
        secret: bytes = b"",
        *,
        max_bytes: int = 512 * 1024 * 1024,
        max_days: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._secret = secret
        self._max_bytes = max_bytes
        self._max_seconds = max_days * _SECONDS_PER_DAY
        self._clock = clock
        self._bytes: int | None = None
        self._pins: Counter[str] = Counter()
        self._pinning = threading.Lock()

    def key(self, *ingredients: str) -> str:
        """Key of a prompt, of everything that it depends on; only who has the secret can tell it."""
        whole = json.dumps(ingredients, ensure_ascii=False).encode()
        return hmac.digest(self._secret, whole, "sha256").hex()

    def path(self, key: str) -> Path:
        """Where the prompt is, or would be."""
        return self._folder / key[:2] / f"{key}.alaw"

    @contextmanager
    def pinned(self, keys: Collection[str]) -> Iterator[None]:
        """Within the block these prompts stay, whether they are there already or are put there meanwhile."""
        with self._pinning:
            self._pins.update(keys)
        try:
            yield
        finally:
            with self._pinning:
                self._pins.subtract(keys)
                self._pins = +self._pins

    def seconds(self, key: str) -> float | None:
        """How long the prompt plays, None if it isn't there; it counts as used now."""
        path, now = self.path(key), self._clock()
        try:
            size = path.stat().st_size
            os.utime(path, (now, now))
        except OSError:
            return None
        return size / wav.BYTES_PER_SECOND or None

    def put(self, key: str, sound: bytes) -> float:
        """Keep A-law bytes; returns how long they play. A full disk is an OSError."""
        path, now = self.path(key), self._clock()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{secrets.token_hex(4)}.draft")
        try:
            draft.write_bytes(sound)
            os.utime(draft, (now, now))
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        self._bytes = None if self._bytes is None else self._bytes + len(sound)
        if self._bytes is None or self._bytes > self._max_bytes:
            self.purge()
        return len(sound) / wav.BYTES_PER_SECOND

    def purge(self) -> None:
        """Drop what is too old, and the oldest of the rest when there is too much; never what is pinned."""
        now = self._clock()
        entries = sorted(self._entries(), key=lambda entry: entry.used, reverse=True)
        total = sum(entry.size for entry in entries)
        limit = self._max_bytes if total <= self._max_bytes else int(self._max_bytes * _KEEP_SHARE)
        kept = 0
        for number, entry in enumerate(entries):
            fits = kept + entry.size <= limit or number == 0
            if (fits and now - entry.used <= self._max_seconds) or not self._dropped(entry.path):
                kept += entry.size
        self._bytes = kept

    def _dropped(self, path: Path) -> bool:
        with self._pinning:
            if path.stem in self._pins:
                return False
            path.unlink(missing_ok=True)
            return True

    def _entries(self) -> list[_Entry]:
        entries = []
        # Drafts too: one that a killed process left behind grows old like the rest.
        for path in self._folder.glob("*/*"):
            try:
                status = path.stat()
            except OSError:
                continue
            entries.append(_Entry(path, status.st_size, status.st_mtime))
        return entries

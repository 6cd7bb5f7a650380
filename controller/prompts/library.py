"""The prompts of a node: audio in the form that Asterisk plays, kept under its digest.

Asterisk plays raw A-law (`.alaw`), so a sound file loses its WAV header here. One that is much louder or
softer than everything else that phones hear is evened; others stay what they are, to the byte.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from heapq import nlargest
from pathlib import Path

from controller.prompts import alaw, loudness, wav
from controller.prompts.resample import to_float, to_int16

_TOLERANCE_DB = 3.0
"""How far from the common loudness a sound file may be; less than a listener would turn a knob for."""
_UNUSED = ".unused"
_DRAFT = ".draft"


@dataclass(frozen=True)
class StoredPrompt:
    """A prompt in the library."""

    digest: str
    duration_ms: int

    @property
    def seconds(self) -> float:
        return self.duration_ms / 1000


class PromptLibrary:
    """A folder of prompts. Adding the same audio again changes nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def add(self, sound_file: bytes, secret: bytes = b"") -> StoredPrompt:
        """Check a sound file and keep its audio. Raises SoundFileError.

        With a `secret` nobody else can tell from its digest, which Asterisk writes into logs, what it is.
        """
        return self.keep(self._ready(wav.read(sound_file), secret), secret)

    def foresee(self, sound_file: bytes) -> StoredPrompt:
        """What `add` would keep; nothing is kept. Raises SoundFileError."""
        return _stored(self._ready(wav.read(sound_file), b""), b"")

    def keep(self, audio: bytes, secret: bytes = b"") -> StoredPrompt:
        """Keep A-law bytes that are ready for phones."""
        stored = _stored(audio, secret)
        path = self._path(stored.digest)
        try:
            # What is wanted again must not look as if it had been unused for long.
            os.utime(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Several controllers share the folder, and may keep the same at once.
            draft = path.with_suffix(f".{secrets.token_hex(4)}{_DRAFT}")
            try:
                draft.write_bytes(audio)
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
        return stored

    def media(self, digest: str) -> str:
        """What Asterisk is told to play."""
        return f"sound:{self.file(digest)}"

    def file(self, digest: str) -> str:
        """The file as a dialplan plays it: Asterisk adds the ending itself."""
        return f"{self._directory}/{digest[:2]}/{digest}"

    def audio(self, digest: str) -> bytes:
        """The A-law bytes of a prompt. Raises FileNotFoundError."""
        return self._path(digest).read_bytes()

    def newest(self, digests: Iterable[str], count: int) -> list[str]:
        """Of these, those that were kept last, as many as are here. Raises OSError."""
        there = [(path.stat().st_mtime, path.stem) for path in map(self._path, digests) if path.exists()]
        return [digest for _, digest in nlargest(count, there)]

    def discard(self, digest: str) -> None:
        """Forget a prompt, if it is there."""
        self._path(digest).unlink(missing_ok=True)

    def keep_only(self, digests: Collection[str], before: float) -> None:
        """Forget all other prompts that were there at a time, in seconds since the epoch."""
        for path in self._directory.glob("*/*"):
            known = path.suffix == ".alaw" and path.stem in digests
            if not known and was_touched_before(path, before):
                path.unlink(missing_ok=True)

    def sweep(self, is_needed: Callable[[str], bool], now: float, grace: float) -> list[str]:
        """Forget prompts that nobody has needed for `grace` seconds; returns their digests.

        A file beside the prompt says since when it is not needed, so that this outlives the process.
        `now`: seconds since the epoch.
        """
        for draft in self._directory.glob(f"*/*{_DRAFT}"):
            if was_touched_before(draft, now - grace):
                draft.unlink(missing_ok=True)
        gone: list[str] = []
        for path in self._directory.glob("*/*.alaw"):
            # Another controller may be sweeping the same folder.
            with contextlib.suppress(FileNotFoundError):
                if self._is_over(path, is_needed(path.stem), now, grace):
                    gone.append(path.stem)
        return gone

    def _is_over(self, path: Path, needed: bool, now: float, grace: float) -> bool:
        """Whether this prompt was removed. Raises FileNotFoundError."""
        mark, used = path.with_suffix(_UNUSED), path.stat().st_mtime
        if needed:
            mark.unlink(missing_ok=True)
        elif not mark.exists() or used > mark.stat().st_mtime:
            mark.touch()
            os.utime(mark, (now, now))
        elif mark.stat().st_mtime < now - grace:
            path.unlink(missing_ok=True)
            mark.unlink(missing_ok=True)
            return True
        return False

    def _ready(self, audio: bytes, secret: bytes) -> bytes:
        """As phones shall hear it; what was taken from here is so, and stays as it is."""
        return audio if self._path(_stored(audio, secret).digest).exists() else evened(audio)

    def _path(self, digest: str) -> Path:
        return Path(f"{self.file(digest)}.alaw")


def _stored(audio: bytes, secret: bytes) -> StoredPrompt:
    digest = hashlib.sha256(secret + audio).hexdigest()
    return StoredPrompt(digest, len(audio) * 1000 // wav.BYTES_PER_SECOND)


def evened(audio: bytes) -> bytes:
    """A-law bytes at the common loudness; what is near it stays what it is."""
    samples = to_float(alaw.decode(audio))
    heard = loudness.active_loudness(samples)
    if heard is None or abs(heard - loudness.TARGET_DBFS) <= _TOLERANCE_DB:
        return audio
    return alaw.encode(to_int16(loudness.level(samples)))


def was_touched_before(path: Path, moment: float) -> bool:
    """Whether a file is here that nobody has written to since then, in seconds since the epoch."""
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:
        # Another process has removed it, or named it otherwise, since the folder was read.
        return False


def digest_of(media: str) -> str:
    """Of the prompt that is played as this medium."""
    return media.rpartition("/")[2]


def is_gone(media: str) -> bool:
    """Whether what Asterisk was told to play is a file of ours that is no longer there."""
    path = media.removeprefix("sound:")
    # Asked at calls, a dozen times each: a Path takes five times as long.
    return path.startswith("/") and not os.path.exists(f"{path}.alaw")  # noqa: PTH110

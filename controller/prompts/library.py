"""The prompts of a node: audio in the form that Asterisk plays, kept under its digest.

Asterisk plays raw A-law (`.alaw`), so a sound file loses its WAV header here and nothing else.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from controller.prompts import wav


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
        audio = wav.read(sound_file)
        digest = hashlib.sha256(secret + audio).hexdigest()
        path = self._path(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_suffix(".draft")
            draft.write_bytes(audio)
            draft.replace(path)
        return StoredPrompt(digest, len(audio) * 1000 // wav.BYTES_PER_SECOND)

    def media(self, digest: str) -> str:
        """What Asterisk is told to play."""
        return f"sound:{self.file(digest)}"

    def file(self, digest: str) -> str:
        """The file as a dialplan plays it: Asterisk adds the ending itself."""
        return str(self._path(digest).with_suffix(""))

    def _path(self, digest: str) -> Path:
        return self._directory / digest[:2] / f"{digest}.alaw"


def is_gone(media: str) -> bool:
    """Whether what Asterisk was told to play is a file of ours that is no longer there."""
    file = Path(f"{media.removeprefix('sound:')}.alaw")
    return file.is_absolute() and not file.exists()

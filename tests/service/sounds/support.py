"""What tests of sound files and templates work with: real SQLite, real files, real conversion."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from engine import copy_database, database_at, is_made
from sqlmodel import Session
from unit.pushes.support import SetClock

from controller.accounts.directory import Directory, directory_of
from controller.asterisk.errors import CannotPlay
from controller.prompts.conversion.converter import Converter
from controller.prompts.library import PromptLibrary
from controller.review.queue import ReviewQueue
from controller.sounds.distribution import Distributor
from controller.sounds.files import SoundFiles, SoundLimits
from controller.sounds.reviewed import REVIEWED
from controller.sounds.templates import VoiceTemplates
from controller.sounds.uploads import UploadDesk
from controller.store.database import Database
from controller.store.directory import read_directory
from controller.store.tables import Account

OTHER = "account-2"


@dataclass
class FakeNode:
    """Plays what is there, unless it is told not to."""

    name: str = "node1"
    trouble: str | None = None
    works: bool = True
    played: list[str] = field(default_factory=list)

    async def check_plays(self, media: str, seconds: float) -> None:
        del seconds
        if not self.works:
            raise CannotPlay("it did not in 5 s")
        if self.trouble is not None:
            raise CannotPlay(self.trouble)
        assert Path(f"{media.removeprefix('sound:')}.alaw").is_file()
        self.played.append(media)


@dataclass
class Studio:
    """Everything around the sound files of two accounts."""

    database: Database
    folder: Path
    clock: SetClock
    drafts: PromptLibrary
    library: PromptLibrary
    files: SoundFiles
    templates: VoiceTemplates
    queue: ReviewQueue
    distributor: Distributor
    nodes: list[FakeNode]
    playing: dict[str, list[str]]

    async def directory(self) -> Directory:
        """What calls would find."""
        return directory_of(await self.database.read(read_directory))

    def draft_files(self) -> list[Path]:
        return list((self.folder / "drafts").glob("*/*"))

    def upload_files(self) -> list[Path]:
        return list((self.folder / "uploads").glob("*"))


@asynccontextmanager
async def studio(template: Path, folder: Path, nodes: int = 1, **limits: Any) -> AsyncIterator[Studio]:
    path = folder / "test.db"
    if not is_made(path):
        copy_database(template, path)
    async with Database(database_at(path), synchronous="NORMAL") as database:

        def add(session: Session) -> None:
            if session.get(Account, OTHER) is None:
                session.add(Account(id=OTHER))

        await database.write(add)
        clock, playing = SetClock(), {}
        drafts, library = PromptLibrary(folder / "drafts"), PromptLibrary(folder / "prompts")
        files = SoundFiles(
            database,
            drafts,
            library,
            Converter(),
            UploadDesk(folder / "uploads", 2),
            clock,
            SoundLimits(**{"convert_bytes": 8_000_000, "files_per_account": 10, **limits}),
            lambda media: playing.get(media, []),
        )
        fleet = [FakeNode(f"node{number + 1}") for number in range(nodes)]

        async def usable() -> None:
            return None

        yield Studio(
            database,
            folder,
            clock,
            drafts,
            library,
            files,
            VoiceTemplates(database, None, clock, "speech.engine is off"),
            ReviewQueue(database, clock, REVIEWED),
            Distributor(database, drafts, library, fleet, usable),
            fleet,
            playing,
        )


async def pieces(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    """A body as it comes in."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


def cd_quality(path: Path, seconds: float = 1.0, frequency: float = 440.0) -> bytes:
    """A stereo file at 44.1 kHz, of the kind that the path's ending says."""
    time = np.arange(int(44100 * seconds)) / 44100
    tone = 0.1 * np.sin(2 * np.pi * frequency * time)
    soundfile.write(path, np.stack([tone, tone], axis=1), 44100)
    return path.read_bytes()


def endless() -> Iterator[bytes]:
    while True:
        yield bytes(65536)

"""Uploaded files made ready for phones, each in a process of its own that is ended when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.prompts import wav
from controller.prompts.conversion import worker
from controller.prompts.errors import ConversionBusyError, SoundFileError, SoundProblem

_LONGEST_ANSWER: Final = wav.MAX_BYTES + 4096


@dataclass(frozen=True, slots=True)
class ReadySound:
    """A-law bytes of 8 kHz at the even loudness; `source` says in words what was converted, "" if nothing."""

    audio: bytes
    source: str = ""

    @property
    def duration_ms(self) -> int:
        return len(self.audio) * 1000 // wav.BYTES_PER_SECOND


class Converter:
    """Looks at files, a few at a time.

    :param parallel: files at the same time.
    :param waiting: files under way or waiting; above that one is refused.
    :param timeout: seconds that one file may take once it is its turn.
    :param niceness: of the process; 19 is the lowest priority there is.
    """

    def __init__(
        self, *, parallel: int = 1, waiting: int = 8, timeout: float = 30.0, niceness: int = 10
    ) -> None:
        self._turn = asyncio.Semaphore(parallel)
        self._waiting = waiting
        self._timeout = timeout
        self._niceness = niceness
        self._under_way = 0

    async def check(self, path: Path) -> ReadySound:
        """A file that must be in the required form.

        :raises SoundFileError: it isn't; the message says why.
        :raises ConversionBusyError: too many files are waiting.
        """
        return await self._looked_at(worker.CHECK, path)

    async def convert(self, path: Path) -> ReadySound:
        """A file of any form: WAV, MP3, Ogg or FLAC, loudness evened.

        :raises SoundFileError: it can't be converted; the message says why.
        :raises ConversionBusyError: too many files are waiting.
        """
        return await self._looked_at(worker.CONVERT, path)

    async def _looked_at(self, how: str, path: Path) -> ReadySound:
        if self._under_way >= self._waiting:
            raise ConversionBusyError("Too many files are being looked at; try again in a moment")
        self._under_way += 1
        try:
            async with self._turn:
                return _ready(await self._answer(how, path))
        finally:
            self._under_way -= 1

    async def _answer(self, how: str, path: Path) -> bytes:
        process = await asyncio.create_subprocess_exec(
            # -P: the working directory is no place to import from.
            *(sys.executable, "-P", "-m", worker.__name__, how),
            *(str(path), f"{self._timeout:g}", str(self._niceness)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            # Its arithmetic is on one core, and each thread would reserve memory.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(self._timeout):
                # What it says is bounded, whatever was in the file.
                answer = b""
                while len(answer) < _LONGEST_ANSWER and (part := await process.stdout.read(1 << 16)):
                    answer += part
                return answer
        except TimeoutError:
            raise SoundFileError(
                SoundProblem.CANNOT_CONVERT, f"The file took more than {self._timeout:g} seconds to look at"
            ) from None
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _ready(answer: bytes) -> ReadySound:
    head, _, audio = answer.partition(b"\n")
    try:
        said = json.loads(head)
    except ValueError:
        # It died over the file: of a decoder's fault, or of the limits that it has.
        raise SoundFileError(SoundProblem.CANNOT_CONVERT, "The file can't be read as sound") from None
    if "problem" in said:
        raise SoundFileError(SoundProblem(said["problem"]), said["message"])
    return ReadySound(audio, said["source"])

"""The process that looks at one uploaded file: ``python -m controller.prompts.conversion.worker``.

Whatever is in the file, and whatever a decoder makes of it, happens here: with little memory, little time and
no right to write a file. It writes one line of JSON and then, if all went well, A-law bytes to its output.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Final

from controller.prompts import alaw, loudness, wav
from controller.prompts.conversion.decode import telephone_samples
from controller.prompts.errors import SoundFileError, SoundProblem
from controller.prompts.library import evened
from controller.prompts.resample import to_int16

CHECK, CONVERT = "check", "convert"

_MEMORY: Final = 1024 * 1024 * 1024
"""Bytes of address space, libraries included: five times what the longest file needs."""


def main() -> None:
    """Look at one file: ``check|convert FILE SECONDS NICENESS``."""
    how, path, seconds, niceness = sys.argv[1:]
    # What a library prints must not get between what we say.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(int(niceness))
    for limit, value in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, int(float(seconds)) + 1),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    answer, audio = _answer(how, Path(path))
    output.write(json.dumps(answer).encode() + b"\n" + audio)
    output.flush()


def _answer(how: str, path: Path) -> tuple[dict[str, str], bytes]:
    try:
        source, audio = _checked(path) if how == CHECK else _converted(path)
    except SoundFileError as error:
        return {"problem": error.problem, "message": str(error)}, b""
    except MemoryError:
        return {
            "problem": SoundProblem.CANNOT_CONVERT,
            "message": "Decoding the file takes more memory than it may",
        }, b""
    return {"source": source}, audio


def _checked(path: Path) -> tuple[str, bytes]:
    return "", evened(wav.read(path.read_bytes()))


def _converted(path: Path) -> tuple[str, bytes]:
    samples, source = telephone_samples(path)
    return source, alaw.encode(to_int16(loudness.level(samples)))


if __name__ == "__main__":
    main()

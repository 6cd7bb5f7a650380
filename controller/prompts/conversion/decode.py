"""Decoding of sound files by libsndfile: WAV of any coding, MP3, Ogg (Vorbis, Opus), FLAC.

A small file can hold hours of sound, and a header can announce what it likes: so a file is decoded in blocks,
made mono and brought to 8 kHz block by block, and given up as soon as it is longer than a sound file may be.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
import soxr

from controller.prompts import wav
from controller.prompts.errors import SoundFileError, SoundProblem
from controller.prompts.resample import TELEPHONE_RATE, FloatArray

MOST_SAMPLES: Final = wav.MAX_BYTES - wav.HEADER_BYTES
"""Of 8 kHz; one byte each in A-law."""

_MAGIC: Final = ((b"RIFF", "WAV"), (b"OggS", "Ogg"), (b"fLaC", "FLAC"), (b"ID3", "MP3"))
_LIBRARY_NAMES: Final = {"WAV": ("WAV", "WAVEX"), "Ogg": ("OGG",), "FLAC": ("FLAC",), "MP3": ("MP3",)}
_RATES: Final = range(4000, 192_001)
_MOST_CHANNELS: Final = 8
_BLOCK_FRAMES: Final = 32_768
_LOUDEST: Final = 8.0
"""What floating-point files may hold beside numbers from -1 to 1 is cut off here, before it is levelled."""


def samples_of(file: bytes) -> tuple[FloatArray, int]:
    """Mono samples (-1 to 1) of a WAV file and their rate in Hz; its writer may not have known its length.

    :raises SoundFileError: the file isn't a WAV file, or its coding can't be decoded.
    """
    wav.parse(file, streamed=True)
    with _opened(file, "WAV") as source:
        blocks = list(_mono_blocks(source))
    return _whole(blocks), source.samplerate


def telephone_samples(path: Path) -> tuple[FloatArray, str]:
    """Mono samples (-1 to 1) of 8 kHz of any file that can be converted, and what it was, in words.

    :raises SoundFileError: it can't be converted, or is too long.
    """
    file = path.read_bytes()
    kind = _kind(file)
    if kind == "WAV":
        wav.parse(file, streamed=True)
    with _opened(file, kind) as source:
        samples = _whole(list(_bounded(_resampled(source))))
        channels = "mono" if source.channels == 1 else f"{source.channels} channels"
        return samples, f"{kind}, {source.samplerate} Hz, {channels}"


def _kind(file: bytes) -> str:
    for magic, kind in _MAGIC:
        if file.startswith(magic):
            return kind
    if len(file) > 2 and file[0] == 0xFF and file[1] & 0xE0 == 0xE0:
        return "MP3"
    raise SoundFileError(
        SoundProblem.CANNOT_CONVERT,
        "The file is no sound that can be converted; WAV, MP3, Ogg and FLAC can",
    )


def _opened(file: bytes, kind: str) -> soundfile.SoundFile:
    try:
        source = soundfile.SoundFile(io.BytesIO(file))
    except soundfile.SoundFileError:
        raise SoundFileError(
            SoundProblem.CANNOT_CONVERT,
            f"The {kind} file is damaged, or has a coding that can't be converted",
        ) from None
    if source.format not in _LIBRARY_NAMES[kind]:
        source.close()
        raise SoundFileError(SoundProblem.CANNOT_CONVERT, f"The file is not what it seems to be ({kind})")
    if source.samplerate not in _RATES or not 1 <= source.channels <= _MOST_CHANNELS:
        rate, channels = source.samplerate, source.channels
        source.close()
        raise SoundFileError(
            SoundProblem.CANNOT_CONVERT, f"{rate} Hz and {channels} channels can't be converted"
        )
    return source


def _mono_blocks(source: soundfile.SoundFile) -> Iterator[FloatArray]:
    while True:
        try:
            frames = source.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            raise SoundFileError(SoundProblem.TRUNCATED_DATA, "The file is damaged or cut off") from None
        if frames.size == 0:
            return
        clean = np.clip(np.nan_to_num(frames), -_LOUDEST, _LOUDEST)
        yield np.mean(clean, axis=1, dtype=np.float32)


def _resampled(source: soundfile.SoundFile) -> Iterator[FloatArray]:
    if source.samplerate == TELEPHONE_RATE:
        yield from _mono_blocks(source)
        return
    stream = soxr.ResampleStream(source.samplerate, TELEPHONE_RATE, 1, dtype="float32", quality="HQ")
    for block in _mono_blocks(source):
        yield np.asarray(stream.resample_chunk(block), np.float32)
    yield np.asarray(stream.resample_chunk(np.zeros(0, np.float32), last=True), np.float32)


def _bounded(blocks: Iterator[FloatArray]) -> Iterator[FloatArray]:
    size = 0
    for block in blocks:
        size += block.size
        if size > MOST_SAMPLES:
            raise SoundFileError(
                SoundProblem.TOO_LARGE,
                f"The sound is longer than {MOST_SAMPLES // TELEPHONE_RATE} seconds: it must fit in 2 MB",
            )
        yield block


def _whole(blocks: list[FloatArray]) -> FloatArray:
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    if samples.size == 0:
        raise SoundFileError(SoundProblem.NO_SOUND, "The file holds no sound")
    return samples

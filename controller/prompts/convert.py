"""From WAV files of other forms to the required one."""

from __future__ import annotations

from typing import Final

import numpy as np

from controller.prompts import alaw, loudness, wav
from controller.prompts.errors import SoundFileError, SoundProblem
from controller.prompts.resample import FloatArray, resample, to_float, to_int16

MAX_SOURCE_BYTES: Final = 32 * 1024 * 1024
"""A larger file is longer than 2 MB of A-law in any form that people use."""

_RATES: Final = range(4000, 192_001)
_MOST_CHANNELS: Final = 8


def to_telephone(file: bytes) -> bytes:
    """A WAV file of another coding, rate or number of channels in the required form, at the even loudness.

    :raises SoundFileError: the file isn't a WAV file, can't be converted, or is too long.
    :raises MissingPackageError: its rate isn't 8000 Hz and soxr isn't installed.
    """
    if len(file) > MAX_SOURCE_BYTES:
        raise SoundFileError(
            SoundProblem.TOO_LARGE,
            f"The file has {len(file)} bytes, at most {MAX_SOURCE_BYTES} are converted",
        )
    samples, rate = samples_of(file)
    return telephone_wav(loudness.level(resample(samples, rate)))


def telephone_wav(samples: FloatArray) -> bytes:
    """A WAV file in the required form from samples (-1 to 1) at 8 kHz.

    :raises SoundFileError: the sound is too long.
    """
    return wav.write(alaw.encode(to_int16(samples)))


def samples_of(file: bytes, *, streamed: bool = False) -> tuple[FloatArray, int]:
    """Mono samples (-1 to 1) of a WAV file and their rate in Hz.

    :param streamed: see :func:`controller.prompts.wav.parse`.
    :raises SoundFileError: the file isn't a WAV file, or its coding isn't one that can be converted.
    """
    found = wav.parse(file, streamed=streamed)
    form = found.form
    if form.rate not in _RATES or not 1 <= form.channels <= _MOST_CHANNELS:
        raise SoundFileError(
            SoundProblem.CANNOT_CONVERT, f"{form.rate} Hz and {form.channels} channels can't be converted"
        )
    samples = _decoded(found)
    frames = samples[: samples.size // form.channels * form.channels].reshape(-1, form.channels)
    if frames.size == 0:
        raise SoundFileError(SoundProblem.NO_SOUND, "The file holds no sound")
    return np.mean(frames, axis=1, dtype=np.float32), form.rate


def _decoded(found: wav.WavFile) -> FloatArray:
    data = found.data
    match found.form.tag, found.form.bits:
        case wav.TAG_ALAW, 8:
            return to_float(alaw.decode(data))
        case (7, 8):
            return _mu_law(data)
        case (1, 8):
            return (np.frombuffer(data, np.uint8).astype(np.float32) - np.float32(128)) / np.float32(128)
        case (1, 16):
            return to_float(np.frombuffer(_whole(data, 2), "<i2").astype(np.int16))
        case (1, 24):
            padded = np.zeros((len(data) // 3, 4), np.uint8)
            padded[:, 1:] = np.frombuffer(_whole(data, 3), np.uint8).reshape(-1, 3)
            return (padded.view("<i4")[:, 0] / 2**31).astype(np.float32)
        case (1, 32):
            return (np.frombuffer(_whole(data, 4), "<i4") / 2**31).astype(np.float32)
        case (3, 32):
            return _finite(np.frombuffer(_whole(data, 4), "<f4"))
        case (3, 64):
            return _finite(np.frombuffer(_whole(data, 8), "<f8"))
        case _:
            raise SoundFileError(
                SoundProblem.CANNOT_CONVERT,
                f"{found.form.coding} with {found.form.bits} bits can't be converted; "
                "PCM, floating point, A-law and mu-law can",
            )


def _whole(data: bytes, size: int) -> bytes:
    return data[: len(data) // size * size]


def _finite(samples: np.ndarray[tuple[int], np.dtype[np.floating]]) -> FloatArray:
    clean: FloatArray = np.clip(np.nan_to_num(samples), -8, 8).astype(np.float32)
    return clean


def _mu_law(data: bytes) -> FloatArray:
    """ITU-T G.711 mu-law."""
    codes = ~np.frombuffer(data, np.uint8) & 0xFF
    exponent, step = (codes >> 4) & 7, codes & 0x0F
    magnitude = (((step.astype(np.int32) << 3) + 0x84) << exponent) - 0x84
    signed: FloatArray = (np.where(codes & 0x80, -magnitude, magnitude) / 32768).astype(np.float32)
    return signed

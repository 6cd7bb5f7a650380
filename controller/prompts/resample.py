"""Change of sampling rate, with the alias kept far below what A-law can carry."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import soxr

from controller.prompts.alaw import Int16Array

FloatArray: TypeAlias = npt.NDArray[np.float32]

TELEPHONE_RATE: Final = 8000
"""Samples per second on a phone line."""


def resample(samples: FloatArray, from_rate: int, to_rate: int = TELEPHONE_RATE) -> FloatArray:
    """Samples at ``to_rate`` (both rates in Hz), by soxr at quality HQ."""
    if from_rate <= 0 or to_rate <= 0:
        raise ValueError(f"Sampling rates are positive, not {from_rate} and {to_rate}")
    if from_rate == to_rate or samples.size == 0:
        return samples.astype(np.float32, copy=False)
    # Lower qualities of soxr, and audioop.ratecv, don't filter before they drop samples.
    converted = soxr.resample(samples, from_rate, to_rate, quality="HQ")
    return np.asarray(converted, dtype=np.float32)


def to_float(samples: Int16Array) -> FloatArray:
    """16-bit samples as numbers from -1 to 1."""
    return samples.astype(np.float32) / np.float32(32768)


def to_int16(samples: FloatArray) -> Int16Array:
    """Numbers from -1 to 1 as 16-bit samples; what is outside is clipped."""
    clipped: Int16Array = np.clip(np.rint(samples * np.float32(32768)), -32768, 32767).astype(np.int16)
    return clipped

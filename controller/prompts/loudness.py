"""Even loudness without clipping.

Loudness is the mean power of the parts in which somebody speaks, so that a pause neither makes a prompt
"softer" nor gets lifted. The gate works like that of ITU-R BS.1770: frames below an absolute floor are
dropped, then those well below the mean of the rest. A look-ahead limiter holds the few peaks that would clip;
it acts on a few milliseconds around each of them.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from controller.prompts.resample import TELEPHONE_RATE, FloatArray

TARGET_DBFS: Final = -20.0
"""Loudness of everything that is sent to a phone, in dB relative to a full-scale square wave."""

CEILING_DBFS: Final = -1.0
"""No sample is louder than this."""

_FRAME_SECONDS: Final = 0.02
_FLOOR_DBFS: Final = -60.0
_GATE_DB: Final = -15.0
_MOST_GAIN_DB: Final = 40.0
_LOOK_AHEAD_SECONDS: Final = 0.004
_ROUNDS: Final = 4


def active_loudness(samples: FloatArray, rate: int = TELEPHONE_RATE) -> float | None:
    """Loudness in dBFS of the active parts of ``samples`` (-1 to 1), or None when there is only silence."""
    if samples.size == 0:
        return None
    frame = max(1, min(samples.size, round(rate * _FRAME_SECONDS)))
    # Frames overlap, so that the result doesn't depend on where a short sound begins.
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    starts = np.arange(0, samples.size - frame + 1, max(1, frame // 8))
    power = (energy[starts + frame] - energy[starts]) / frame
    loud = power[power > _power(_FLOOR_DBFS)]
    if loud.size == 0:
        return None
    active = loud[loud >= np.mean(loud) * _power(_GATE_DB)]
    return 10 * math.log10(float(np.mean(active)))


def level(samples: FloatArray, rate: int = TELEPHONE_RATE, target_dbfs: float = TARGET_DBFS) -> FloatArray:
    """``samples`` at the target loudness, with no sample above ``CEILING_DBFS``; silence stays as it is."""
    result = samples.astype(np.float32, copy=True)
    budget_db = _MOST_GAIN_DB
    # The limiter takes away a little of what it limits; a second look puts that back.
    for _ in range(_ROUNDS):
        loudness = active_loudness(result, rate)
        if loudness is None:
            break
        gain_db = min(target_dbfs - loudness, budget_db)
        budget_db -= gain_db
        result = limit(result * np.float32(_amplitude(gain_db)), rate)
        if abs(gain_db) < 0.05:
            break
    return result


def limit(samples: FloatArray, rate: int = TELEPHONE_RATE, ceiling_dbfs: float = CEILING_DBFS) -> FloatArray:
    """``samples`` with the gain lowered smoothly around every peak above the ceiling."""
    ceiling = _amplitude(ceiling_dbfs)
    peaks = np.abs(samples)
    if samples.size == 0 or float(peaks.max()) <= ceiling:
        return samples
    wanted = ceiling / np.maximum(peaks, ceiling)
    reach = max(1, round(rate * _LOOK_AHEAD_SECONDS))
    # Minimum over twice the reach, then mean over the reach: the mean can't rise above the wanted gain.
    lowest = sliding_window_view(np.pad(wanted, 2 * reach, mode="edge"), 2 * reach + 1).min(axis=1)
    smooth = sliding_window_view(lowest, 2 * reach + 1).mean(axis=1)
    limited: FloatArray = np.clip(samples * smooth, -ceiling, ceiling).astype(np.float32)
    return limited


def _power(db: float) -> float:
    return float(10 ** (db / 10))


def _amplitude(db: float) -> float:
    return float(10 ** (db / 20))

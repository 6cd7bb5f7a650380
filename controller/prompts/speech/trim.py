"""Silence at the ends of what an engine says."""

from __future__ import annotations

from typing import Final

import numpy as np

from controller.prompts.resample import FloatArray

_FRAME_SECONDS: Final = 0.01
_SILENCE_DB: Final = -42.0
_FLOOR_POWER: Final = 1e-6


def trim(samples: FloatArray, rate: int, *, before: float = 0.03, after: float = 0.06) -> FloatArray:
    """``samples`` without the silence at both ends, except ``before`` and ``after`` seconds of it.

    Silence is what is 42 dB below the loudest 10 ms; when that is below -60 dBFS, all of it. The kept margins
    fade, so that nothing clicks.
    """
    frame = max(1, round(rate * _FRAME_SECONDS))
    count = samples.size // frame
    if count == 0:
        return samples
    power = np.mean(np.square(samples[: count * frame].reshape(count, frame).astype(np.float64)), axis=1)
    loudest = float(power.max())
    if loudest <= _FLOOR_POWER:
        return samples[:0]
    heard = np.flatnonzero(power > loudest * 10 ** (_SILENCE_DB / 10))
    start = max(0, int(heard[0]) * frame - round(before * rate))
    end = min(samples.size, (int(heard[-1]) + 1) * frame + round(after * rate))
    return _fade(samples[start:end], round(before * rate), round(after * rate))


def _fade(samples: FloatArray, fade_in: int, fade_out: int) -> FloatArray:
    faded = samples.astype(np.float32, copy=True)
    fade_in, fade_out = min(fade_in, faded.size), min(fade_out, faded.size)
    faded[:fade_in] *= np.linspace(0, 1, fade_in, endpoint=False, dtype=np.float32)
    faded[faded.size - fade_out :] *= np.linspace(1, 0, fade_out, dtype=np.float32)
    return faded

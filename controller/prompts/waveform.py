"""The picture of a sound."""

from __future__ import annotations

import numpy as np

from controller.prompts import alaw


def peaks(audio: bytes, count: int) -> list[float]:
    """The loudest sample (0 to 1) in each of ``count`` equal parts of A-law bytes, fewer if it is shorter."""
    samples = np.abs(alaw.decode(audio).astype(np.int32))
    parts = min(count, samples.size)
    if parts == 0:
        return []
    starts = np.arange(parts) * samples.size // parts
    return [round(float(peak) / 32768, 3) for peak in np.maximum.reduceat(samples, starts)]

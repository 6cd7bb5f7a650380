"""The shape of a recording: how loud it is, part by part."""

from pathlib import Path

import numpy as np

from controller.prompts import alaw, wav

PARTS = 400
_FULL_SCALE = 32768


def peaks(path: Path, parts: int = PARTS) -> list[float]:
    """The loudest sample of each of `parts` equal parts, 0 to 1; fewer if there are fewer samples.

    Raises OSError. A recording is as long as it is: its header may say more than there is.
    """
    samples = alaw.decode(path.read_bytes()[wav.HEADER_BYTES :]).astype(np.int32)
    parts = min(parts, len(samples))
    if not parts:
        return []
    begins = np.linspace(0, len(samples), parts, endpoint=False).astype(np.int64)
    loudest = np.maximum.reduceat(np.abs(samples), begins) / _FULL_SCALE
    return [round(float(peak), 4) for peak in loudest]

"""The picture of a sound: one path of strokes, as high as it is loud."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Picture:
    """What a template draws. Units: one for each peak across, HEIGHT from the top."""

    PARTS: ClassVar[int] = 240
    HEIGHT: ClassVar[int] = 64

    peaks: tuple[float, ...]
    seconds: float

    @property
    def width(self) -> int:
        return max(1, len(self.peaks)) * 2

    @property
    def path(self) -> str:
        """Of an SVG path."""
        middle = self.HEIGHT / 2
        strokes = []
        for place, peak in enumerate(self.peaks):
            half = max(0.5, peak * (middle - 1))
            strokes.append(f"M{place * 2 + 1} {middle - half:.1f}V{middle + half:.1f}")
        return "".join(strokes)

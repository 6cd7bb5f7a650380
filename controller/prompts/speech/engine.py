"""What a speech engine is. Anything with this shape can be plugged in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from controller.prompts.reading.passage import Language, Passage
from controller.prompts.resample import FloatArray

__all__ = ["BlockingEngine", "Language", "Passage", "Speech", "SpeechEngine", "join", "silence"]


@dataclass(frozen=True, slots=True)
class Speech:
    """Mono sound: samples from -1 to 1 at ``rate`` Hz."""

    samples: FloatArray
    rate: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.samples.size / self.rate


class SpeechEngine(Protocol):
    """Turns one passage into sound, without ever blocking the event loop.

    The synthesiser bounds how many calls are under way, cuts nothing and keeps the answer.
    """

    @property
    def identity(self) -> str:
        """Name, model, voices and speed: two engines with the same identity sound the same."""

    async def prepare(self) -> None:
        """Do what takes long before the first passage comes.

        :raises SpeechError: the engine can't work.
        """

    async def speak(self, passage: Passage) -> Speech:
        """Sound of ``passage`` without silence at its ends.

        :raises SpeechError: the engine can't say it.
        """

    async def close(self) -> None:
        """Give back processes, sessions and memory."""


class BlockingEngine(Protocol):
    """An engine that computes: it runs in a process of its own (:class:`~.process.EngineProcess`)."""

    def prepare(self) -> None:
        """Load what takes long.

        :raises PromptError: something for it is missing.
        """

    def render(self, passage: Passage) -> Speech:
        """Sound of ``passage`` without silence at its ends; may be called by several threads.

        :raises SpeechError: the engine can't say it.
        """


def silence(seconds: float, rate: int) -> FloatArray:
    """Samples of silence."""
    return np.zeros(round(seconds * rate), dtype=np.float32)


def join(parts: list[FloatArray]) -> FloatArray:
    """Samples one after the other."""
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)

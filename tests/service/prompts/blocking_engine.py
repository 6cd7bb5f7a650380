"""A blocking engine for tests of the process around it: the text says what it does."""

import os
import time
from pathlib import Path

import numpy as np

from controller.prompts.errors import ModelError, SpeechEngineError, UnreadableTextError
from controller.prompts.reading import Passage
from controller.prompts.speech.engine import Speech


class ObedientEngine:
    """Says a tone, unless the text is "die", "die once", "hang", "refuse", "silent" or "stumble"."""

    def __init__(self, folder: str, broken: bool = False) -> None:
        self._folder = Path(folder)
        self._broken = broken

    def prepare(self) -> None:
        print("A library prints something")
        if self._broken:
            raise ModelError("The model is missing")

    def render(self, passage: Passage) -> Speech:
        match passage.text:
            case "die":
                os._exit(3)
            case "die once" if not (mark := self._folder / "died").exists():
                mark.touch()
                os._exit(3)
            case "hang":
                (self._folder / "hangs").touch()
                time.sleep(600)
            case "refuse":
                raise SpeechEngineError("cannot say that")
            case "silent":
                raise UnreadableTextError("nothing to say")
            case "stumble":
                raise KeyError(passage.text)
            case "priority":
                return Speech(np.full(os.nice(0), 0.5, dtype=np.float32), 8000)
        print("A library prints something")
        return Speech(np.ones(2400, dtype=np.float32), 24000)

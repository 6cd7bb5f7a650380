"""The embedded engine: Kokoro-82M v1.0 (int8, ONNX), offline, on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from controller.prompts.errors import SpeechEngineError, UnreadableTextError
from controller.prompts.optional import load
from controller.prompts.resample import FloatArray
from controller.prompts.speech import models
from controller.prompts.speech.chinese import ChineseFrontEnd
from controller.prompts.speech.chunks import chunks
from controller.prompts.speech.engine import Language, Passage, Speech, join, silence
from controller.prompts.speech.english import EnglishFrontEnd
from controller.prompts.speech.trim import trim
from controller.prompts.speech.vocabulary import PAD, token_ids

RATE: Final = 24000
_STYLES: Final = 510
_STYLE_SIZE: Final = 256


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Everything that takes a second or more to prepare."""

    session: Any
    voices: Mapping[Language, FloatArray]
    chinese: ChineseFrontEnd
    english: EnglishFrontEnd

    def phonemes(self, passage: Passage) -> str:
        front_end = self.chinese if passage.language is Language.CHINESE else self.english
        return front_end.phonemes(passage.text)


class KokoroEngine:
    """Speaks Chinese and English with a young female voice each. Blocks; threads may share it.

    :param folder: the model folder that ``voicecall speech fetch`` fills.
    :param threads: CPU threads of one call of the model.
    :param speed: 1.0 is the pace of the training voices; smaller is slower.
    :param cache: a folder for jieba's prepared dictionary, which makes later starts faster.
    """

    def __init__(
        self, folder: str | Path, *, threads: int = 1, speed: float = 1.0, cache: str | Path | None = None
    ) -> None:
        self._folder = Path(folder)
        self._threads = threads
        self._speed = speed
        self._cache = None if cache is None else Path(cache)
        self._loading = threading.Lock()
        self._loaded: _Loaded | None = None

    @property
    def identity(self) -> str:
        """Model, voices and speed."""
        return identity(self._speed)

    def prepare(self) -> None:
        """Load the model before the first text needs it (2 to 4 s).

        :raises ModelError: a file is missing or isn't the pinned one.
        :raises MissingPackageError: the extra isn't installed.
        """
        self._load()

    def render(self, passage: Passage) -> Speech:
        """Sound of ``passage`` at 24 kHz.

        :raises UnreadableTextError: nothing in it has a sound.
        :raises SpeechEngineError: the model failed.
        :raises ModelError: see :meth:`prepare`.
        """
        loaded = self._load()
        pieces = chunks(loaded.phonemes(passage))
        if not any(token_ids(piece.phonemes) for piece in pieces):
            raise UnreadableTextError("Nothing in the text can be read aloud")
        parts: list[FloatArray] = []
        for number, piece in enumerate(pieces):
            parts.append(self._call(loaded, piece.phonemes, passage.language))
            if number + 1 < len(pieces):
                parts.append(silence(piece.pause, RATE))
        return Speech(join(parts), RATE)

    def _call(self, loaded: _Loaded, phonemes: str, language: Language) -> FloatArray:
        ids = token_ids(phonemes)
        style = loaded.voices[language][min(len(ids), _STYLES) - 1]
        feeds = {
            "tokens": np.array([[PAD, *ids, PAD]], dtype=np.int64),
            "style": style.reshape(1, _STYLE_SIZE),
            "speed": np.array([self._speed], dtype=np.float32),
        }
        try:
            (audio,) = loaded.session.run(None, feeds)
        except Exception as error:  # onnxruntime has an exception class of its own for each status
            raise SpeechEngineError(f"The speech model failed: {error}") from error
        return trim(np.asarray(audio, dtype=np.float32).reshape(-1), RATE)

    def _load(self) -> _Loaded:
        with self._loading:
            if self._loaded is None:
                self._loaded = self._prepared()
            return self._loaded

    def _prepared(self) -> _Loaded:
        runtime = load("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1
        # The threads of the model would otherwise spin while they wait, on cores that carry calls.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        model = models.checked(self._folder, models.MODEL)
        session = runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        english = EnglishFrontEnd.load(*(models.checked(self._folder, f) for f in models.ENGLISH_LEXICON))
        voices = {
            Language.CHINESE: _voice(models.checked(self._folder, models.CHINESE_VOICE)),
            Language.ENGLISH: _voice(models.checked(self._folder, models.ENGLISH_VOICE)),
        }
        return _Loaded(session, voices, ChineseFrontEnd.load(english, self._cache), english)


def identity(speed: float = 1.0) -> str:
    """Of the engine with this speed; needs no model."""
    voices = f"{models.CHINESE_VOICE.name}+{models.ENGLISH_VOICE.name}"
    return f"kokoro/{models.MODEL.sha256[:16]}/{voices}/{speed:g}"


def _voice(path: Path) -> FloatArray:
    return np.fromfile(path, dtype=np.float32).reshape(_STYLES, _STYLE_SIZE)

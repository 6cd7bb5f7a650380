from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from controller.prompts.errors import MissingPackageError
from controller.prompts.optional import load
from controller.prompts.speech import models
from controller.prompts.speech.cache import SpeechCache
from controller.prompts.speech.kokoro import KokoroEngine
from controller.prompts.speech.synthesiser import Synthesiser

from .ear import LISTENING_MODEL, SPEECH_MODEL, Ear

FETCH = "scripts/fetch-speech-models --listening"


@pytest.fixture(scope="session")
def ear() -> Ear:
    if not models.is_complete(LISTENING_MODEL, models.WHISPER_FILES):
        pytest.skip(f"the listening model is not in {LISTENING_MODEL}; fetch it with {FETCH}")
    try:
        recogniser = load("faster_whisper", extra="listening")
    except MissingPackageError as error:
        pytest.skip(str(error))
    return Ear(
        recogniser.WhisperModel(str(LISTENING_MODEL), device="cpu", compute_type="int8", cpu_threads=2)
    )


@pytest.fixture(scope="session")
def speech_model() -> Path:
    if not models.is_complete(SPEECH_MODEL):
        pytest.skip(f"the speech model is not in {SPEECH_MODEL}; fetch it with {FETCH}")
    for package in ("onnxruntime", "jieba", "pypinyin", "soxr"):
        try:
            load(package)
        except MissingPackageError as error:
            pytest.skip(str(error))
    return SPEECH_MODEL


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def synthesiser(
    speech_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Synthesiser]:
    folder = tmp_path_factory.mktemp("speech")
    made = Synthesiser(KokoroEngine(speech_model), SpeechCache(folder / "cache"))
    yield made
    await made.close()

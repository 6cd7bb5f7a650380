"""Which speech engine the settings mean on this machine, and the synthesiser that is made with it."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from controller.key_file import load_or_make_key
from controller.prompts.speech import kokoro, models
from controller.prompts.speech.cache import SpeechCache
from controller.prompts.speech.engine import Language, SpeechEngine
from controller.prompts.speech.espeak import PROGRAM, EspeakEngine
from controller.prompts.speech.openai_http import HttpSpeechEngine
from controller.prompts.speech.process import EngineProcess
from controller.prompts.speech.synthesiser import Synthesiser
from controller.settings import Settings, SpeechSettings

log = logging.getLogger(__name__)

_PURGE_INTERVAL = 3600.0
"""Seconds between looks at what the cache keeps."""

_PACKAGES = {
    "kokoro": ("onnxruntime", "jieba", "pypinyin"),
    "espeak": ("pypinyin",),
    "http": (),
}
_BY_ITSELF = ("kokoro", "espeak")
"""What `auto` looks for, in this order."""


@dataclass(frozen=True)
class Choice:
    """The engine in use; None: requests with speech are refused, `reason` says why."""

    engine: str | None
    reason: str = ""


def choose(settings: Settings) -> Choice:
    """The engine that the settings mean, as far as this machine has what it needs."""
    wanted = settings.speech.engine
    if wanted == "off":
        return Choice(None, "speech.engine is off")
    obstacles = {}
    for engine in _BY_ITSELF if wanted == "auto" else (wanted,):
        obstacle = _obstacle(engine, settings)
        if obstacle is None:
            return Choice(engine)
        obstacles[engine] = obstacle
    return Choice(None, "; ".join(f"{engine}: {obstacle}" for engine, obstacle in obstacles.items()))


def _obstacle(engine: str, settings: Settings) -> str | None:
    missing = [package for package in _PACKAGES[engine] if find_spec(package) is None]
    if missing:
        return f"{', '.join(missing)} not installed (extra speech)"
    match engine:
        case "kokoro" if not models.is_complete(settings.speech_model_dir):
            return f"{settings.speech_model_dir} lacks the model"
        case "espeak" if shutil.which(PROGRAM) is None:
            return f"there is no program {PROGRAM}"
        case "http" if not (settings.speech.http_url and settings.speech.http_model):
            return "http_url and http_model are not set"
        case _:
            return None


def make_engine(engine: str, settings: Settings) -> SpeechEngine:
    """An engine of this kind; nothing is loaded yet."""
    speech = settings.speech
    match engine:
        case "kokoro":
            return _kokoro(settings.speech_model_dir, speech)
        case "http":
            return HttpSpeechEngine(
                speech.http_url,
                model=speech.http_model,
                voices={Language.CHINESE: speech.http_voice_zh, Language.ENGLISH: speech.http_voice_en},
                api_key=speech.http_api_key.get_secret_value() or None,
                timeout=speech.timeout,
            )
        case _:
            return EspeakEngine()


def _kokoro(folder: Path, speech: SpeechSettings) -> SpeechEngine:
    return EngineProcess(
        kokoro.identity(),
        f"{kokoro.__name__}:{kokoro.KokoroEngine.__name__}",
        {"folder": str(folder), "threads": speech.threads},
        parallel=speech.parallel,
        niceness=speech.niceness,
    )


def make_synthesiser(engine: SpeechEngine, settings: Settings) -> Synthesiser:
    """A synthesiser with the cache of these settings. Raises KeyUnusable."""
    speech = settings.speech
    cache = SpeechCache(
        settings.speech_dir,
        load_or_make_key(settings.recording_key),
        max_bytes=speech.cache_megabytes * 1024 * 1024,
        max_days=speech.cache_days,
    )
    return Synthesiser(
        engine, cache, parallel=speech.parallel, waiting=speech.waiting, timeout=speech.timeout
    )


@asynccontextmanager
async def running_speech(settings: Settings) -> AsyncIterator[Synthesiser | None]:
    """The synthesiser of a controller; None when there is no engine, which is logged. Raises KeyUnusable."""
    choice = choose(settings)
    if choice.engine is None:
        log.log(
            logging.INFO if settings.speech.engine in ("auto", "off") else logging.ERROR,
            "Speech is not available",
            extra={"reason": choice.reason},
        )
        yield None
        return
    synthesiser = await asyncio.to_thread(make_synthesiser, make_engine(choice.engine, settings), settings)
    if settings.speech.engine != "auto":
        synthesiser.warm()
    purging = asyncio.create_task(_purge(synthesiser))
    try:
        yield synthesiser
    finally:
        purging.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await purging
        await synthesiser.close()


async def _purge(synthesiser: Synthesiser) -> None:
    while True:
        try:
            await synthesiser.purge()
        except OSError as error:
            log.warning("The cache of spoken prompts can't be purged", extra={"error": str(error)})
        await asyncio.sleep(_PURGE_INTERVAL)

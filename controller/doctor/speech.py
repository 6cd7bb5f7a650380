"""Whether templates and texts can be spoken."""

import asyncio
from pathlib import Path

import aiohttp

from controller.doctor.finding import Finding, Level, fault, http_client, ok
from controller.prompts.errors import ModelError
from controller.prompts.speech import models
from controller.settings import Settings
from controller.speech import choose


async def speech(settings: Settings) -> Finding:
    """Templates and texts can be spoken, by which engine, and well."""
    name, choice = "speech", choose(settings)
    match choice.engine:
        case None if settings.speech.engine == "off":
            return ok(name, "is off: requests with templates or texts are refused")
        case None:
            text = f"not available, requests with templates or texts are refused ({choice.reason})"
            remedy = "run `voicecall speech fetch`, or set speech.engine"
            level = Level.WARNING if settings.speech.engine == "auto" else Level.FAULT
            return Finding(name, level, text, remedy)
        case "kokoro":
            return await asyncio.to_thread(_embedded_voice, settings.speech_model_dir)
        case "http":
            return await _speech_server(settings.speech.http_url)
        case _:
            return Finding(
                name,
                Level.WARNING,
                "comes from espeak-ng: Chinese is hardly intelligible",
                "run `voicecall speech fetch` for the embedded voice",
            )


def _embedded_voice(folder: Path) -> Finding:
    try:
        for file in models.KOKORO_FILES:
            models.checked(folder, file)
    except ModelError as error:
        return fault("speech", str(error), "remove the file and run `voicecall speech fetch`")
    return ok("speech", f"the embedded voice, model in {folder}")


async def _speech_server(url: str) -> Finding:
    try:
        # Any answer will do: asking for speech could cost money.
        async with http_client() as http, http.get(url, allow_redirects=False):
            return ok("speech", f"{url} answers")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        reason = str(error) or "no answer in time"
        return fault("speech", f"{url} can't be reached: {reason}", "start the server or set speech.http_url")

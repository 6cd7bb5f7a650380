"""What nodes fetch, and what strangers learn from it."""

import hashlib
import hmac
import json
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from controller.api.node_prompts import prompt_routes
from controller.prompts import loudness
from controller.prompts.reading import Language, Passage
from controller.prompts.speech import synthesiser
from controller.prompts.speech.engine import Speech
from controller.settings import Settings
from controller.speech import make_synthesiser

SAID = [Passage("您的余额为十元。", Language.CHINESE)]


class ToneEngine:
    identity = "tone/1"

    async def prepare(self) -> None:
        pass

    async def speak(self, passage: Passage) -> Speech:
        del passage
        return Speech(np.full(8000, 0.1, dtype=np.float32), 8000)

    async def close(self) -> None:
        pass


async def spoken(settings: Settings) -> str:
    """The name of the file that says it."""
    made = make_synthesiser(ToneEngine(), settings)
    async with made.playable([SAID]) as [prompt]:
        name = f"{Path(prompt.media).name}.alaw"
    await made.close()
    return name


@pytest.mark.requirement("D3", "E2")
async def test_D3_given_what_was_said_when_strangers_guess_its_name_then_they_are_told_nothing(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path)
    name = await spoken(settings)
    parts = (part for passage in SAID for part in (passage.language, passage.text))
    known = [synthesiser._RECIPE, ToneEngine.identity, f"{loudness.TARGET_DBFS:g}", *parts]
    text = json.dumps(known, ensure_ascii=False).encode()
    guesses = [hashlib.sha256(text).digest(), *(hmac.digest(key, text, "sha256") for key in (b"", bytes(32)))]
    app = web.Application()
    app.add_routes(prompt_routes((settings.prompt_dir, settings.speech_dir)))

    async with TestClient(TestServer(app)) as stranger:
        told = [(await stranger.get(f"/prompts/{guess.hex()}.alaw")).status for guess in guesses]
        node = await stranger.get(f"/prompts/{name}")
        sound = await node.read()

    assert told == [404, 404, 404]
    assert (node.status, len(sound)) == (200, (settings.speech_dir / name[:2] / name).stat().st_size)
    assert node.headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.requirement("D3")
async def test_D3_given_a_controller_that_is_started_again_when_it_says_the_same_then_the_name_is_the_same(
    tmp_path: Path,
) -> None:
    first = await spoken(Settings(data_dir=tmp_path / "one"))

    assert await spoken(Settings(data_dir=tmp_path / "one")) == first
    assert await spoken(Settings(data_dir=tmp_path / "two")) != first

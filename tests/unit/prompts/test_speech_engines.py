import asyncio
import json
import logging
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller.prompts import alaw, wav
from controller.prompts.errors import ModelError, PromptError, SpeechEngineError, UnreadableTextError
from controller.prompts.reading import Language, Passage
from controller.prompts.resample import to_int16
from controller.prompts.speech.engine import Speech, SpeechEngine, join, silence
from controller.prompts.speech.espeak import EspeakEngine
from controller.prompts.speech.kokoro import KokoroEngine
from controller.prompts.speech.openai_http import HttpSpeechEngine
from controller.prompts.speech.trim import trim

HELLO = Passage("Hello", Language.ENGLISH)
NI_HAO = Passage("你好", Language.CHINESE)
TONE = (0.3 * np.sin(2 * np.pi * 300 * np.arange(4000) / 8000)).astype(np.float32)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def test_given_silence_around_a_tone_when_trimmed_then_little_of_it_is_left() -> None:
    around = join([silence(0.5, 8000), TONE, silence(0.7, 8000)])
    trimmed = trim(around, 8000)
    assert trimmed.size == pytest.approx(0.5 * 8000 + 0.09 * 8000, abs=160)
    assert trimmed[0] == trimmed[-1] == 0
    assert Speech(trimmed, 8000).seconds == pytest.approx(0.59, abs=0.02)


@pytest.mark.parametrize("samples", [silence(0, 8000), silence(1, 8000)])
def test_given_only_silence_when_trimmed_then_nothing_is_left(samples: np.ndarray) -> None:
    assert trim(samples, 8000).size == 0


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Stands for espeak-ng: notes what it gets, answers with a tone."""
    (tmp_path / "tone.wav").write_bytes(wav.write(alaw.encode(to_int16(TONE))))
    path = tmp_path / "espeak-ng"
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys, pathlib\n"
        "here = pathlib.Path(__file__).parent\n"
        "text = sys.stdin.buffer.read().decode()\n"
        "if 'fail' in text: sys.exit('no such voice')\n"
        "(here / 'got').write_text(' '.join(sys.argv[1:]) + '|' + text)\n"
        "sys.stdout.buffer.write((here / 'tone.wav').read_bytes())\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


async def test_given_espeak_when_it_speaks_then_it_warned_and_chinese_went_in_as_pinyin(
    program: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        engine: SpeechEngine = EspeakEngine(str(program), pinyin=lambda text: "ni3 hao3")
    assert "hardly intelligible" in caplog.text
    speech = await engine.speak(NI_HAO)
    assert (speech.rate, speech.samples.size > 3500) == (8000, True)
    assert (program.parent / "got").read_text() == "-v cmn-latn-pinyin+f3 -s 150 --stdin --stdout|ni3 hao3"
    await engine.speak(HELLO)
    assert (program.parent / "got").read_text().endswith("en-us+f3 -s 150 --stdin --stdout|Hello")
    await engine.close()


async def test_given_espeak_that_fails_when_it_speaks_then_it_is_a_speech_error(program: Path) -> None:
    engine = EspeakEngine(str(program))
    with pytest.raises(SpeechEngineError, match="no such voice"):
        await engine.speak(Passage("fail", Language.ENGLISH))
    (program.parent / "tone.wav").write_bytes(b"no sound")
    with pytest.raises(SpeechEngineError, match="gave no sound"):
        await engine.speak(HELLO)
    (program.parent / "tone.wav").write_bytes(wav.write(alaw.SILENCE * 800))
    with pytest.raises(UnreadableTextError):
        await engine.speak(HELLO)
    with pytest.raises(SpeechEngineError, match="can't be started"):
        await EspeakEngine(str(program.parent / "missing")).speak(HELLO)


async def serve(handler: Handler) -> TestServer:
    app = web.Application()
    app.router.add_post("/base/v1/audio/speech", handler)
    server = TestServer(app)
    await server.start_server()
    return server


def engine_of(server: TestServer, **options: object) -> HttpSpeechEngine:
    voices = {Language.CHINESE: "xiao", Language.ENGLISH: "heart"}
    return HttpSpeechEngine(
        str(server.make_url("/base/")),
        model="tts",
        voices=voices,
        api_key="secret",
        **options,  # type: ignore[arg-type]
    )


@pytest.mark.requirement("D2")
async def test_given_an_http_engine_when_it_speaks_then_the_call_is_the_openai_one() -> None:
    got: list[object] = []

    async def handler(request: web.Request) -> web.Response:
        got.extend([request.headers["Authorization"], await request.json()])
        file = bytearray(wav.write(alaw.encode(to_int16(TONE))))
        file[54:58] = b"\xff\xff\xff\xff"
        return web.Response(body=bytes(file), content_type="audio/wav")

    server = await serve(handler)
    engine: SpeechEngine = engine_of(server)
    speech = await engine.speak(NI_HAO)
    await engine.close()
    await server.close()
    assert (speech.rate, speech.samples.size > 3500) == (8000, True)
    assert got == [
        "Bearer secret",
        {"model": "tts", "voice": "xiao", "input": "你好", "response_format": "wav", "speed": 1.0},
    ]
    assert "secret" not in repr(engine) + engine.identity


@pytest.mark.parametrize(
    ("response", "message"),
    [
        (lambda: web.json_response({"error": "no"}, status=401), "status 401"),
        (lambda: web.Response(status=302, headers={"Location": "/elsewhere"}), "status 302"),
        (lambda: web.Response(body=b"not a sound"), "no usable sound"),
        (lambda: web.Response(body=b""), "no usable sound"),
    ],
)
async def test_given_a_server_that_gives_no_sound_when_asked_then_it_is_a_speech_error(
    response: Callable[[], web.Response], message: str
) -> None:
    async def handler(_: web.Request) -> web.Response:
        return response()

    server = await serve(handler)
    engine = engine_of(server)
    with pytest.raises(SpeechEngineError, match=message):
        await engine.speak(HELLO)
    await engine.close()
    await server.close()


async def test_given_a_server_that_hangs_or_is_gone_when_asked_then_it_is_a_speech_error() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    server = await serve(handler)
    engine = engine_of(server, timeout=0.05)
    with pytest.raises(SpeechEngineError, match="can't be asked"):
        await engine.speak(HELLO)
    await server.close()
    with pytest.raises(SpeechEngineError, match="can't be asked"):
        await engine.speak(HELLO)
    await engine.close()


async def test_given_no_voice_for_a_language_when_asked_then_it_is_a_speech_error() -> None:
    engine = HttpSpeechEngine("http://localhost:1", model="m", voices={Language.CHINESE: "xiao"})
    with pytest.raises(SpeechEngineError, match="No voice"):
        await engine.speak(HELLO)


def test_given_no_model_files_when_kokoro_is_prepared_then_the_command_is_named(tmp_path: Path) -> None:
    engine = KokoroEngine(tmp_path)
    with pytest.raises(ModelError, match="voicecall speech fetch"):
        engine.prepare()
    (tmp_path / "kokoro-v1.0.int8.onnx").write_bytes(b"another model")
    with pytest.raises(ModelError, match="not the pinned one"):
        engine.render(HELLO)


def test_given_engines_with_other_settings_when_compared_then_their_identities_differ(tmp_path: Path) -> None:
    assert KokoroEngine(tmp_path, speed=0.9).identity != KokoroEngine(tmp_path).identity
    assert json.dumps(KokoroEngine(tmp_path).identity)


def test_given_every_error_of_the_room_when_looked_at_then_it_belongs_to_the_tree() -> None:
    for error in (ModelError, SpeechEngineError, UnreadableTextError):
        assert issubclass(error, PromptError)

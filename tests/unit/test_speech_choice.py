"""Which engine the settings mean on a machine, and what `voicecall doctor` says about it."""

from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller import speech
from controller.doctor.finding import Level
from controller.doctor.speech import speech as examined
from controller.prompts.speech.models import KOKORO_FILES
from controller.settings import Settings, SpeechSettings
from controller.speech import choose, running_speech

pytestmark = pytest.mark.requirement("D2")


@pytest.fixture
def no_espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech.shutil, "which", lambda _program: None)


@pytest.fixture
def espeak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech.shutil, "which", lambda program: f"/usr/bin/{program}")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with all the files of a model, none of them right."""
    folder = tmp_path / "speech-models"
    folder.mkdir()
    for file in KOKORO_FILES:
        (folder / file.name).touch()
    return folder


def settings(data_dir: Path, **changes: object) -> Settings:
    return Settings(data_dir=data_dir, speech=SpeechSettings(**changes))  # type: ignore[arg-type]


@pytest.mark.usefixtures("espeak", "model")
def test_given_a_model_when_nothing_is_set_then_the_embedded_voice_speaks(tmp_path: Path) -> None:
    assert choose(settings(tmp_path)).engine == "kokoro"


@pytest.mark.usefixtures("espeak")
async def test_given_no_model_when_espeak_is_there_then_it_speaks_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert choose(settings(tmp_path)).engine == "espeak"
    async with running_speech(settings(tmp_path)) as synthesiser:
        assert synthesiser is not None
    assert "hardly intelligible" in caplog.text
    finding = await examined(settings(tmp_path))
    assert (finding.level, "hardly intelligible" in finding.text) == (Level.WARNING, True)


@pytest.mark.usefixtures("no_espeak")
async def test_given_neither_when_nothing_is_set_then_there_is_no_speech_and_it_is_said_why(
    tmp_path: Path,
) -> None:
    choice = choose(settings(tmp_path))
    assert choice.engine is None
    assert "lacks the model; espeak: there is no program" in choice.reason
    async with running_speech(settings(tmp_path)) as synthesiser:
        assert synthesiser is None
    finding = await examined(settings(tmp_path))
    assert (finding.level, "voicecall speech fetch" in finding.remedy) == (Level.WARNING, True)


@pytest.mark.usefixtures("espeak", "model")
async def test_given_speech_that_is_off_when_chosen_then_there_is_none_and_nothing_is_wrong(
    tmp_path: Path,
) -> None:
    assert choose(settings(tmp_path, engine="off")).engine is None
    assert (await examined(settings(tmp_path, engine="off"))).level is Level.OK


@pytest.mark.usefixtures("espeak")
@pytest.mark.parametrize("engine", ["kokoro", "http"])
async def test_given_an_engine_that_lacks_something_when_it_is_asked_for_then_no_other_takes_its_place(
    tmp_path: Path, engine: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert choose(settings(tmp_path, engine=engine)).engine is None
    async with running_speech(settings(tmp_path, engine=engine)) as synthesiser:
        assert synthesiser is None
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert (await examined(settings(tmp_path, engine=engine))).level is Level.FAULT


@pytest.mark.usefixtures("espeak", "model")
async def test_given_a_package_that_is_missing_when_chosen_then_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "find_spec", lambda name: None if name == "onnxruntime" else object())
    assert choose(settings(tmp_path)).engine == "espeak"
    assert "onnxruntime not installed" in choose(settings(tmp_path, engine="kokoro")).reason


@pytest.mark.usefixtures("model")
async def test_given_a_model_that_is_another_one_when_examined_then_it_is_a_fault(tmp_path: Path) -> None:
    finding = await examined(settings(tmp_path, engine="kokoro"))
    assert (finding.level, "not the pinned one" in finding.text) == (Level.FAULT, True)


async def test_given_a_speech_server_when_examined_then_it_must_answer(tmp_path: Path) -> None:
    server = TestServer(web.Application())
    await server.start_server()
    wanted = settings(tmp_path, engine="http", http_url=str(server.make_url("/")), http_model="m")
    assert (await examined(wanted)).level is Level.OK
    await server.close()
    gone = await examined(wanted)
    assert (gone.level, "can't be reached" in gone.text) == (Level.FAULT, True)

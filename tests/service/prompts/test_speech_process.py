"""The engine in a process of its own: it dies, hangs, refuses, and goes on."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.prompts.errors import SpeechEngineError, UnreadableTextError
from controller.prompts.reading import Language, Passage
from controller.prompts.speech.cache import SpeechCache
from controller.prompts.speech.engine import SpeechEngine
from controller.prompts.speech.process import EngineProcess
from controller.prompts.speech.synthesiser import Synthesiser

TESTS = Path(__file__).parents[2]
FACTORY = "service.prompts.blocking_engine:ObedientEngine"


def saying(text: str) -> Passage:
    return Passage(text, Language.ENGLISH)


@pytest.fixture
async def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EngineProcess]:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    made = EngineProcess("obedient", FACTORY, {"folder": str(tmp_path)}, parallel=2)
    yield made
    await made.close()


@pytest.mark.requirement("D2")
async def test_given_a_passage_when_spoken_then_it_comes_at_8_khz_from_a_process_of_lowest_priority(
    engine: EngineProcess,
) -> None:
    as_engine: SpeechEngine = engine
    await as_engine.prepare()
    assert engine.pid not in (None, os.getpid())
    speech = await as_engine.speak(saying("hello"))
    assert (speech.rate, speech.samples.size) == (8000, 800)
    assert (await as_engine.speak(saying("priority"))).samples.size == 19


async def test_given_what_the_engine_can_not_say_when_asked_then_the_error_is_ours_and_the_process_goes_on(
    engine: EngineProcess,
) -> None:
    with pytest.raises(SpeechEngineError, match="cannot say that"):
        await engine.speak(saying("refuse"))
    pid = engine.pid
    with pytest.raises(UnreadableTextError):
        await engine.speak(saying("silent"))
    with pytest.raises(SpeechEngineError, match="unexpected KeyError") as caught:
        await engine.speak(saying("stumble"))
    assert "stumble" not in str(caught.value)
    assert engine.pid == pid


async def test_given_a_process_that_dies_when_a_passage_waits_then_it_is_tried_once_more(
    engine: EngineProcess, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await engine.speak(saying("die once"))).samples.size == 800
    assert "died and is started again: exit status 3" in caplog.text
    with pytest.raises(SpeechEngineError, match="died twice"):
        await engine.speak(saying("die"))
    assert (await engine.speak(saying("hello"))).samples.size == 800


async def test_given_a_process_that_is_killed_while_idle_when_asked_then_a_new_one_answers(
    engine: EngineProcess,
) -> None:
    await engine.prepare()
    first = engine.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    assert (await engine.speak(saying("hello"))).samples.size == 800
    assert engine.pid != first


async def test_given_a_passage_that_hangs_when_its_time_is_up_then_the_process_is_ended_and_the_next_works(
    engine: EngineProcess, tmp_path: Path
) -> None:
    await engine.prepare()
    hanging = engine.pid
    synthesiser = Synthesiser(engine, SpeechCache(tmp_path / "cache"), parallel=2, timeout=5.0)
    with pytest.raises(SpeechEngineError, match="more than 5 s"):
        await synthesiser.say("hang", language=Language.ENGLISH)
    assert (tmp_path / "hangs").exists()
    assert await Synthesiser(engine, SpeechCache(tmp_path / "cache")).say("hello")
    assert engine.pid != hanging


async def test_given_passages_at_the_same_time_when_one_dies_then_the_others_are_said(
    engine: EngineProcess,
) -> None:
    texts = ["hello", "die once", "hello", "hello"]
    sounds = await asyncio.gather(*(engine.speak(saying(text)) for text in texts))
    assert [sound.samples.size for sound in sounds] == [800] * 4


async def test_given_an_engine_that_can_not_be_loaded_when_prepared_then_its_reason_is_told(
    engine: EngineProcess, tmp_path: Path
) -> None:
    broken = EngineProcess("broken", FACTORY, {"folder": str(tmp_path), "broken": True})
    with pytest.raises(SpeechEngineError, match="The model is missing"):
        await broken.prepare()
    await broken.close()
    nowhere = EngineProcess("nowhere", "unit.prompts.nothing:Nothing", {})
    with pytest.raises(SpeechEngineError, match="unexpected ModuleNotFoundError"):
        await nowhere.speak(saying("hello"))
    await nowhere.close()


async def test_given_a_running_process_when_closed_then_it_has_ended(engine: EngineProcess) -> None:
    await engine.prepare()
    pid = engine.pid
    await engine.close()
    assert engine.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)

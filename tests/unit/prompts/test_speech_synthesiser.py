import asyncio
from pathlib import Path

import numpy as np
import pytest

from controller.prompts import alaw, loudness, wav
from controller.prompts.errors import SpeechBusyError, SpeechEngineError, UnreadableTextError
from controller.prompts.reading import Language, Passage, read_aloud
from controller.prompts.resample import to_float
from controller.prompts.speech.cache import SpeechCache
from controller.prompts.speech.engine import Speech, SpeechEngine
from controller.prompts.speech.synthesiser import Synthesiser


class ToneEngine:
    """Says every passage as a tone, when it is let."""

    identity = "tone/1"

    def __init__(self, amplitude: float = 0.05) -> None:
        self.said: list[Passage] = []
        self.together = 0
        self.most_together = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.amplitude = amplitude
        self.prepared = False
        self.closed = False

    async def prepare(self) -> None:
        self.prepared = True

    async def speak(self, passage: Passage) -> Speech:
        self.said.append(passage)
        self.begun.set()
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        try:
            await self.go.wait()
        finally:
            self.together -= 1
        if "坏" in passage.text:
            raise SpeechEngineError("broken")
        time = np.arange(8000) / 8000
        return Speech((self.amplitude * np.sin(2 * np.pi * 300 * time)).astype(np.float32), 8000)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def cache(tmp_path: Path) -> SpeechCache:
    return SpeechCache(tmp_path / "cache")


def is_an_engine(engine: SpeechEngine) -> SpeechEngine:
    return engine


@pytest.mark.requirement("D2", "D4")
async def test_given_a_text_when_said_then_it_is_an_evenly_loud_file_in_the_required_form(
    cache: SpeechCache,
) -> None:
    engine = ToneEngine()
    file = await Synthesiser(is_an_engine(engine), cache).say("请按1。Press 2 now.")
    sound = wav.check(file)
    assert sound.seconds == pytest.approx(2.35, abs=0.01)
    heard = loudness.active_loudness(to_float(alaw.decode(sound.data)))
    assert heard == pytest.approx(loudness.TARGET_DBFS, abs=0.3)
    assert engine.said == [Passage("请按一。", Language.CHINESE), Passage("Press two now.", Language.ENGLISH)]


@pytest.mark.requirement("D3")
async def test_given_the_same_text_at_the_same_time_when_said_then_it_is_synthesised_once(
    cache: SpeechCache,
) -> None:
    engine = ToneEngine()
    synthesiser = Synthesiser(engine, cache, parallel=4)
    files = await asyncio.gather(*(synthesiser.say("您好") for _ in range(20)))
    assert len(set(files)) == 1
    assert len(engine.said) == 1
    again = Synthesiser(engine, cache)
    assert await again.say("您好") == files[0]
    assert len(engine.said) == 1


@pytest.mark.requirement("D3")
async def test_given_another_engine_when_the_text_is_known_then_it_is_synthesised_anew(
    cache: SpeechCache,
) -> None:
    first, second = ToneEngine(), ToneEngine()
    second.identity = "tone/2"
    await Synthesiser(first, cache).say("您好")
    await Synthesiser(second, cache).say("您好")
    assert len(second.said) == 1


async def test_given_many_texts_when_said_then_no_more_than_allowed_run_together(cache: SpeechCache) -> None:
    engine = ToneEngine()
    synthesiser = Synthesiser(engine, cache, parallel=2)
    await asyncio.gather(*(synthesiser.say(f"第{chr(0x4E00 + number)}") for number in range(8)))
    assert len(engine.said) == 8
    assert engine.most_together <= 2


async def test_given_a_caller_that_gives_up_when_another_waits_then_that_one_is_served(
    cache: SpeechCache,
) -> None:
    engine = ToneEngine()
    engine.go.clear()
    synthesiser = Synthesiser(engine, cache)
    impatient, patient = (asyncio.create_task(synthesiser.say("您好")) for _ in range(2))
    await engine.begun.wait()
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    engine.go.set()
    assert wav.check(await patient)
    assert len(engine.said) == 1


async def test_given_a_failed_synthesis_when_asked_again_then_it_is_tried_again(cache: SpeechCache) -> None:
    engine = ToneEngine()
    synthesiser = Synthesiser(engine, cache)
    for _ in range(2):
        with pytest.raises(SpeechEngineError, match="broken"):
            await synthesiser.say("坏")
    assert len(engine.said) == 2


async def test_given_an_engine_that_hangs_when_the_time_is_up_then_it_is_an_error(cache: SpeechCache) -> None:
    engine = ToneEngine()
    engine.go.clear()
    with pytest.raises(SpeechEngineError, match="more than 0 s"):
        await Synthesiser(engine, cache, timeout=0).say("您好")


async def test_given_a_full_queue_when_one_more_text_comes_then_it_is_refused(cache: SpeechCache) -> None:
    engine = ToneEngine()
    engine.go.clear()
    synthesiser = Synthesiser(engine, cache, waiting=1)
    first = asyncio.create_task(synthesiser.say("一"))
    await engine.begun.wait()
    with pytest.raises(SpeechBusyError):
        await synthesiser.say("二")
    engine.go.set()
    assert await first


@pytest.mark.parametrize("text", ["", "。。。", "\n"])
async def test_given_nothing_to_say_when_said_then_it_is_an_error(cache: SpeechCache, text: str) -> None:
    with pytest.raises(UnreadableTextError):
        await Synthesiser(ToneEngine(), cache).say(text)


async def test_given_a_disk_that_fails_when_said_then_it_is_a_speech_error_without_the_text(
    cache: SpeechCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "put", full)
    with pytest.raises(SpeechEngineError, match="can't be kept: No space"):
        await Synthesiser(ToneEngine(), cache).say("您好")


@pytest.mark.requirement("D3")
async def test_given_several_texts_when_made_playable_then_each_is_a_file_that_stays_and_took_its_time(
    tmp_path: Path,
) -> None:
    engine = ToneEngine()
    small = SpeechCache(tmp_path / "cache", max_bytes=1)
    synthesiser = Synthesiser(engine, small)
    texts = [read_aloud("您好。"), read_aloud("再见。请按1。"), read_aloud("您好。")]

    async with synthesiser.playable(texts) as made:
        await synthesiser.say("别的")
        files = [Path(f"{prompt.media.removeprefix('sound:')}.alaw") for prompt in made]
        assert all(file.is_file() for file in files)
        assert [prompt.seconds for prompt in made] == [len(file.read_bytes()) / 8000 for file in files]
    assert files[0] == files[2] != files[1]
    assert all(prompt.conversion_seconds > 0 for prompt in made)
    async with synthesiser.playable(texts[:1]) as (again,):
        assert again.seconds == made[0].seconds
    await synthesiser.purge()
    assert len([file for file in (tmp_path / "cache").glob("*/*") if file.is_file()]) <= 1


async def test_given_a_kept_prompt_when_made_playable_again_then_no_conversion_is_counted(
    cache: SpeechCache,
) -> None:
    synthesiser = Synthesiser(ToneEngine(), cache)
    async with synthesiser.playable([read_aloud("您好")]) as (first,):
        pass
    async with synthesiser.playable([read_aloud("您好")]) as (second,):
        pass
    assert (first.conversion_seconds > 0, second.conversion_seconds) == (True, 0.0)


async def test_given_one_text_that_fails_when_several_are_made_playable_then_it_is_an_error_of_all(
    cache: SpeechCache,
) -> None:
    synthesiser = Synthesiser(ToneEngine(), cache, parallel=2)
    with pytest.raises(SpeechEngineError, match="broken"):
        async with synthesiser.playable([read_aloud("坏"), read_aloud("好")]):
            pytest.fail("must not get here")
    await synthesiser.close()


async def test_given_an_engine_when_warmed_then_it_is_prepared_once_and_trouble_is_logged(
    cache: SpeechCache, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(ToneEngine):
        async def prepare(self) -> None:
            raise SpeechEngineError("no model")

    for engine in (ToneEngine(), Broken()):
        synthesiser = Synthesiser(engine, cache)
        synthesiser.warm()
        synthesiser.warm()
        await asyncio.sleep(0)
        await synthesiser.close()
        assert engine.prepared is not isinstance(engine, Broken)
    assert caplog.messages == ["The speech engine can't be started: no model"]


async def test_given_a_silent_engine_when_said_then_it_is_an_error(cache: SpeechCache) -> None:
    class Silent(ToneEngine):
        async def speak(self, passage: Passage) -> Speech:
            return Speech(np.zeros(0, dtype=np.float32), 24000)

    with pytest.raises(SpeechEngineError, match="no sound"):
        await Synthesiser(Silent(), cache).say("您好")


async def test_given_a_text_under_way_when_closed_then_its_caller_gets_an_error(cache: SpeechCache) -> None:
    engine = ToneEngine()
    engine.go.clear()
    synthesiser = Synthesiser(engine, cache)
    caller = asyncio.create_task(synthesiser.say("您好"))
    await engine.begun.wait()
    await synthesiser.close()
    with pytest.raises(SpeechEngineError, match="being closed"):
        await caller
    assert engine.closed

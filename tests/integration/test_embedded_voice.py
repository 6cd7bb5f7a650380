"""The voices of this machine in real calls: the embedded one, its process, espeak."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from integration.speaking import EAST_GATE, StartSpeaking, spoken_files
from integration.support import HEARD

from controller.doctor.finding import Level
from controller.doctor.speech import speech as examined
from controller.prompts.reading import Language
from controller.settings import SpeechSettings
from testbed.controller_process import controller_process
from testbed.ear import Ear, syllables
from testbed.listening import load_alaw, load_wav, share_heard
from testbed.platform import SPEECH_MODEL
from testbed.softphone_plan import Answer


@pytest.mark.requirement("A2.1", "D2")
async def test_D2_given_espeak_when_a_template_is_played_then_the_phone_hears_it_and_the_doctor_warns(
    speaking: StartSpeaking,
) -> None:
    b = await speaking(SpeechSettings(engine="espeak"), Answer())

    session = await b.notify(EAST_GATE)
    call = await b.phone.next_call(timeout=30)
    heard = load_wav(await call.recorded(timeout=30))
    statuses, cdr = await b.over(session)
    finding = await examined(b.home.settings)

    (spoken,) = spoken_files(b)
    assert share_heard(load_alaw(spoken), heard) >= HEARD
    assert 1.0 < len(load_alaw(spoken).samples) / 8000 < 10.0
    assert (statuses[-1].info["stateCode"], cdr["ttsPlayTimes"]) == (0, 1)
    assert (finding.level, "hardly intelligible" in finding.text) == (Level.WARNING, True)


KOKORO = SpeechSettings(engine="kokoro", model_dir=str(SPEECH_MODEL), niceness=0, timeout=120)
BUSY = 120.0


def speech_processes() -> list[int]:
    """Process ids of the speech processes that this process has started."""
    children = (path.read_text().split() for path in Path("/proc/self/task").glob("*/children"))
    found = []
    for pid in chain.from_iterable(children):
        # Another child may have ended meanwhile.
        with contextlib.suppress(OSError):
            if b"controller.prompts.speech.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(int(pid))
    return found


@pytest.mark.requirement("A2.1", "D1", "D2")
async def test_D2_given_the_embedded_voice_when_a_template_is_played_then_the_phone_hears_its_words(
    speaking: StartSpeaking, ear: Ear
) -> None:
    b = await speaking(KOKORO, Answer())

    session = await b.notify({**EAST_GATE, "templateParas": ["3197"]})
    call = await b.phone.next_call(timeout=BUSY)
    recording = load_wav(await call.recorded(timeout=30))
    statuses, cdr = await b.over(session)

    (spoken,) = spoken_files(b)
    assert share_heard(load_alaw(spoken), recording) >= HEARD
    heard = ear.hear_samples(recording.samples, Language.CHINESE, "以下是普通话的句子。")
    assert syllables(heard)[:2] == ["nin", "hao"], heard
    assert syllables(heard)[-4:] == ["san", "yi", "jiu", "qi"], heard
    assert statuses[-1].info["stateCode"] == 0
    assert cdr["ttsTransDuration"] >= 1


@pytest.mark.requirement("D2", "E4")
async def test_D2_given_a_speech_process_that_is_killed_when_texts_are_wanted_then_they_are_said(
    speaking: StartSpeaking,
) -> None:
    b = await speaking(KOKORO, Answer())

    first = await b.notify({"ttsContent": "您好。"})
    await _until(speech_processes)
    (pid,) = speech_processes()
    os.kill(pid, signal.SIGKILL)
    _statuses, one = await b.over(first, timeout=BUSY)
    (again,) = speech_processes()
    os.kill(again, signal.SIGKILL)
    _statuses, two = await b.over(await b.notify({"ttsContent": "再见。"}), timeout=BUSY)

    assert (one["ulFailReason"], two["ulFailReason"]) == (0, 0)
    assert len({pid, again, *speech_processes()}) == 3


@pytest.mark.requirement("E4")
async def test_E4_given_a_controller_that_is_killed_when_it_is_gone_then_so_is_its_speech_process(
    speaking: StartSpeaking,
) -> None:
    b = await speaking(KOKORO, controller=False)

    async with controller_process(b.home.settings, b.home.directory / "controller") as running:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        await _until(lambda: children.read_text().split())
        (worker,) = map(int, children.read_text().split())
        running.send(signal.SIGKILL)
        await running.ended()

    await _until(lambda: not Path(f"/proc/{worker}/cmdline").exists(), 20)


async def _until(seen: Callable[[], object], timeout: float = 30) -> None:
    """Other processes send no event: look again and again."""
    async with asyncio.timeout(timeout):
        while not seen():  # noqa: ASYNC110
            await asyncio.sleep(0.02)

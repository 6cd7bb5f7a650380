"""What phones hear is even, whatever the loudness of the files that customers give."""

import math

import numpy as np
import pytest
from integration.support import SHOWN, StartBench

from controller.prompts import alaw, loudness, wav
from controller.prompts.resample import to_float, to_int16
from testbed.listening import Audio, find, load_wav
from testbed.softphone_plan import Answer
from testbed.sounds import distinct_prompt

LOUD, SOFT = "loud.wav", "soft.wav"


def at(dbfs: float, seed: int) -> bytes:
    """A sound file of this loudness."""
    samples = to_float(alaw.decode(wav.read(distinct_prompt(seed, 1.0))))
    amplitude = 10 ** ((dbfs - (loudness.active_loudness(samples) or 0)) / 20)
    return wav.write(alaw.encode(to_int16(samples * np.float32(amplitude))))


def heard_dbfs(prompt: Audio, recording: Audio) -> float:
    offset = find(prompt, recording).offset
    return 20 * math.log10(recording.rms(offset + 0.1, offset + 0.9))


@pytest.mark.requirement("D4")
async def test_D4_given_a_loud_and_a_soft_sound_file_when_played_then_the_phone_hears_both_alike(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    files = {LOUD: at(-10, 11), SOFT: at(-38, 12)}
    for name, file in files.items():
        (b.home.directory / name).write_bytes(file)
    sounds = "\n".join(f'[[accounts.sounds]]\nname = "{name}"\nfile = "{name}"' for name in files)
    await b.home.declare(f'[[accounts]]\nid = "test"\nnumbers = ["{SHOWN}"]\n{sounds}')
    await b.controller.directory.refresh()

    session = await b.notify(*({"notifyVoice": name} for name in files))
    heard = load_wav(await (await b.phone.next_call()).recorded())
    await b.over(session)

    levels = [heard_dbfs(load_wav(b.home.directory / name), heard) for name in files]
    assert levels == pytest.approx([loudness.TARGET_DBFS] * 2, abs=1.5)
    assert np.abs(heard.samples).max() < 0.95

from pathlib import Path

import numpy as np
import pytest

from controller.prompts import alaw, loudness, wav
from controller.prompts.resample import FloatArray, to_float
from sounds import make

SOUNDS = Path(make.__file__).parent
NAMES = sorted(path.relative_to(SOUNDS).as_posix() for path in SOUNDS.rglob("*.wav"))
PROMPTS = (
    "transferring",
    "last_minute",
    "recording_hint",
    "not_in_service",
    "welcome",
    "code_intro",
    "code_outro",
)


def samples(name: str) -> FloatArray:
    return to_float(alaw.decode(wav.read((SOUNDS / name).read_bytes())))


@pytest.mark.requirement("A1.2", "A1.3", "A1.4", "A1.5", "A3.1")
def test_given_the_recipe_when_the_files_are_compared_then_every_prompt_is_there() -> None:
    assert make.complaints() == []
    for language in ("zh", "en"):
        for prompt in (*PROMPTS, *(f"digit_{digit}" for digit in range(10))):
            assert f"{language}/{prompt}.wav" in NAMES
    assert {"ringback.wav", "wait.wav", "silence_1s.wav"} <= set(NAMES)


@pytest.mark.requirement("D4")
@pytest.mark.parametrize("name", NAMES)
def test_given_a_shipped_prompt_when_checked_then_it_has_the_form_and_does_not_clip(name: str) -> None:
    wav.check_name(Path(name).name)
    assert float(np.max(np.abs(samples(name)))) < 0.95


@pytest.mark.requirement("D4")
def test_given_all_shipped_prompts_when_measured_then_they_are_evenly_loud() -> None:
    loud = {name: loudness.active_loudness(samples(name)) for name in NAMES}
    measured = [value for value in loud.values() if value is not None]
    assert [name for name, value in loud.items() if value is None] == ["silence_1s.wav"]
    assert max(measured) - min(measured) <= make.LOUDNESS_SPREAD_DB


@pytest.mark.requirement("A3.1")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_given_the_digits_when_measured_then_they_have_one_length_and_start_at_one_moment(
    language: str,
) -> None:
    digits = [samples(f"{language}/digit_{digit}.wav") for digit in range(10)]
    assert len({digit.size for digit in digits}) == 1
    starts = [int(np.flatnonzero(np.abs(digit) > 0.02)[0]) / 8000 for digit in digits]
    assert max(starts) - min(starts) < 0.12


@pytest.mark.requirement("A1.3")
def test_given_the_ringback_when_measured_then_it_is_450_hz_for_1_s_of_5() -> None:
    tone = samples("ringback.wav")
    assert tone.size == 5 * 8000
    spectrum = np.abs(np.fft.rfft(tone[:8000]))
    assert int(np.argmax(spectrum)) == 450
    assert not np.any(np.abs(tone[8000:]) > 0.001)


@pytest.mark.requirement("A1.3")
def test_given_the_wait_melody_when_looped_then_the_seam_is_no_louder_than_the_rest() -> None:
    melody = samples("wait.wav")
    assert 8 <= melody.size / 8000 <= 10
    steps = np.abs(np.diff(np.concatenate([melody, melody[:1]])))
    assert steps[-1] <= np.quantile(steps[:-1], 0.999)


def test_given_the_tones_when_made_again_then_they_are_the_committed_files() -> None:
    _, tones = make.read_recipe()
    for tone in tones:
        made = make.for_the_phone(make.tone_samples(tone.settings))
        assert made == (SOUNDS / tone.name).read_bytes(), tone.name

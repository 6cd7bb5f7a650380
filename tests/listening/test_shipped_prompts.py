import numpy as np
import pytest

from controller.prompts import alaw, wav
from controller.prompts.reading import Language
from controller.prompts.resample import FloatArray, to_float
from controller.prompts.speech.kokoro import KokoroEngine
from sounds import make
from testbed.ear import Ear, syllables
from testbed.platform import SPEECH_MODEL

from .test_sentences import HINT, error_rate, words

SPOKEN = [prompt for prompt in make.read_recipe()[0] if not isinstance(prompt, make.Digit)]


def decoded(file: bytes) -> FloatArray:
    return to_float(alaw.decode(wav.read(file)))


@pytest.mark.requirement("D1", "D4")
@pytest.mark.parametrize("language", list(Language))
def test_given_the_shipped_prompts_when_heard_then_they_say_what_the_recipe_says(
    ear: Ear, language: Language
) -> None:
    pairs = []
    for prompt in SPOKEN:
        if prompt.passage.language is language:
            sound = wav.read((make.HERE / prompt.name).read_bytes())
            hint = HINT if language is Language.CHINESE else None
            pairs.append((ear.hear(sound, language, hint), prompt.passage.text))
    units = syllables if language is Language.CHINESE else words
    assert error_rate(pairs, units) <= 0.05, pairs


@pytest.mark.parametrize("name", ["zh/transferring.wav", "zh/digit_7.wav", "en/code_intro.wav"])
def test_given_the_recipe_when_a_prompt_is_made_again_then_it_is_the_committed_sound(
    name: str,
) -> None:
    prompt = next(prompt for prompt in make.read_recipe()[0] if prompt.name == name)
    speech = KokoroEngine(SPEECH_MODEL, speed=prompt.speed).render(prompt.passage)
    again = decoded(make.for_the_phone(make.spoken_samples(speech, prompt)))
    committed = decoded((make.HERE / name).read_bytes())
    assert again.size == pytest.approx(committed.size, rel=0.01)
    shared = min(again.size, committed.size)
    both = np.fft.rfft(again[:shared], 2 * shared), np.fft.rfft(committed[:shared], 2 * shared)
    correlation = np.fft.irfft(both[0] * np.conj(both[1]))
    likeness = float(np.max(correlation)) / float(np.linalg.norm(again) * np.linalg.norm(committed))
    assert likeness > 0.98

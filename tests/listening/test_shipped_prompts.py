import numpy as np
import pytest

from controller.prompts import alaw, wav
from controller.prompts.reading import Language
from controller.prompts.resample import TELEPHONE_RATE, to_float
from controller.prompts.speech.kokoro import KokoroEngine
from sounds import make
from testbed.ear import Ear, syllables
from testbed.listening import Audio, Samples, load_wav, share_heard
from testbed.platform import SPEECH_MODEL

from .test_sentences import HINT, error_rate, words

SPOKEN = [prompt for prompt in make.read_recipe()[0] if not isinstance(prompt, make.Digit)]


def decoded(file: bytes) -> Samples:
    return to_float(alaw.decode(wav.read(file))).astype(np.float64)


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
    again = Audio(decoded(make.for_the_phone(make.spoken_samples(speech, prompt))), TELEPHONE_RATE)
    committed = load_wav(make.HERE / name)
    assert again.seconds == pytest.approx(committed.seconds, rel=0.02)
    # Another kind of processor rounds otherwise, so that a syllable begins a moment sooner or later: pieces
    # are compared. (0.88 to 1.0 for the same prompt on another processor, 0.5 at most for another prompt.)
    assert share_heard(committed, again, length=0.1, drift=0.1) >= 0.8

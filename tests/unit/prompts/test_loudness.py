import numpy as np
import pytest

from controller.prompts import loudness
from controller.prompts.resample import FloatArray


def tone(seconds: float, amplitude: float, hertz: float = 440.0) -> FloatArray:
    time = np.arange(int(seconds * 8000)) / 8000
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def speech_like(amplitude: float) -> FloatArray:
    """Noise in bursts with high peaks, as speech has them."""
    source = np.random.default_rng(7)
    bursts = np.repeat(np.abs(source.normal(size=40)) + 0.05, 400)
    return (amplitude * bursts * source.laplace(size=bursts.size)).astype(np.float32)


def test_given_a_sine_of_full_scale_when_measured_then_it_is_3_db_below_full_scale() -> None:
    assert loudness.active_loudness(tone(1, 1.0)) == pytest.approx(-3.01, abs=0.05)


def test_given_pauses_around_speech_when_measured_then_they_do_not_count() -> None:
    pause = np.zeros(16000, dtype=np.float32)
    plain = loudness.active_loudness(tone(1, 0.2))
    assert plain is not None
    assert loudness.active_loudness(np.concatenate([pause, tone(1, 0.2), pause])) == pytest.approx(
        plain, abs=0.1
    )


@pytest.mark.requirement("D4")
@pytest.mark.parametrize("amplitude", [0.01, 0.1, 0.5, 2.0])
def test_given_speech_of_any_level_when_levelled_then_it_has_the_target_and_does_not_clip(
    amplitude: float,
) -> None:
    levelled = loudness.level(speech_like(amplitude))
    assert loudness.active_loudness(levelled) == pytest.approx(loudness.TARGET_DBFS, abs=0.3)
    assert float(np.max(np.abs(levelled))) <= 10 ** (loudness.CEILING_DBFS / 20) + 1e-6


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros(8000, np.float32)])
def test_given_silence_when_levelled_then_it_stays_silence(samples: FloatArray) -> None:
    assert loudness.active_loudness(samples) is None
    assert np.array_equal(loudness.level(samples), samples)


def test_given_a_short_peak_when_limited_then_only_its_neighbourhood_changes() -> None:
    quiet = tone(1, 0.1)
    peaked = quiet.copy()
    peaked[4000] = 3.0
    limited = loudness.limit(peaked)
    assert float(np.max(np.abs(limited))) <= 10 ** (loudness.CEILING_DBFS / 20) + 1e-6
    assert np.array_equal(limited[:3800], quiet[:3800])
    assert np.array_equal(limited[4200:], quiet[4200:])


def test_given_samples_below_the_ceiling_when_limited_then_they_are_untouched() -> None:
    samples = tone(0.5, 0.8)
    assert np.array_equal(loudness.limit(samples), samples)

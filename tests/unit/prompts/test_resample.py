import numpy as np
import pytest

from controller.prompts import resample
from controller.prompts.errors import MissingPackageError
from controller.prompts.resample import FloatArray


def tone(rate: int, hertz: float) -> FloatArray:
    return np.sin(2 * np.pi * hertz * np.arange(rate) / rate).astype(np.float32)


def power_db(samples: FloatArray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples[400:-400].astype(np.float64))) + 1e-30))


@pytest.mark.requirement("D4")
@pytest.mark.parametrize("rate", [16000, 22050, 24000, 44100, 48000])
def test_given_a_tone_above_4_khz_when_brought_to_the_phone_then_no_alias_is_heard(rate: int) -> None:
    assert power_db(resample.resample(tone(rate, 5000), rate)) < -90


@pytest.mark.parametrize("rate", [16000, 24000, 44100])
def test_given_a_tone_in_the_speech_band_when_resampled_then_it_keeps_its_level(rate: int) -> None:
    heard = resample.resample(tone(rate, 1000), rate)
    assert heard.size == pytest.approx(8000, abs=2)
    assert power_db(heard) == pytest.approx(-3.01, abs=0.05)


def test_given_the_same_rate_when_resampled_then_nothing_changes() -> None:
    samples = tone(8000, 300)
    assert np.array_equal(resample.resample(samples, 8000), samples)


def test_given_a_rate_that_is_no_rate_when_resampled_then_it_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        resample.resample(tone(8000, 300), 0)


def test_given_16_bit_samples_when_converted_there_and_back_then_they_are_the_same() -> None:
    samples = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16)
    assert np.array_equal(resample.to_int16(resample.to_float(samples)), samples)


def test_given_samples_beyond_full_scale_when_converted_then_they_are_clipped() -> None:
    assert resample.to_int16(np.array([-2.0, 2.0], dtype=np.float32)).tolist() == [-32768, 32767]


def test_given_a_missing_package_when_loaded_then_the_extra_is_named() -> None:
    from controller.prompts.optional import load

    with pytest.raises(MissingPackageError, match="extra 'speech'") as caught:
        load("no_such_package_here.inner")
    assert caught.value.package == "no_such_package_here"

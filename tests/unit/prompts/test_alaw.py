import warnings

import numpy as np
import pytest

from controller.prompts import alaw
from controller.prompts.alaw import Int16Array

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)


def reference_codes(samples: Int16Array) -> bytes:
    """G.711 table 1a, by decision values: a search instead of the shifts of the implementation."""
    bounds = [
        step * 2 if segment == 0 else (16 + step) * 2**segment for segment in range(8) for step in range(16)
    ]
    value = samples.astype(np.int32) >> 3
    magnitude = np.where(value >= 0, value, -value - 1)
    interval = np.searchsorted(bounds, magnitude, side="right") - 1
    return ((interval | np.where(value >= 0, 0x80, 0)) ^ 0x55).astype(np.uint8).tobytes()


@pytest.mark.requirement("D4")
def test_given_every_sample_when_coded_then_it_is_the_code_word_of_g711() -> None:
    assert alaw.encode(EVERY_SAMPLE) == reference_codes(EVERY_SAMPLE)


@pytest.mark.parametrize(
    ("sample", "code"), [(0, 0xD5), (-1, 0x55), (32767, 0xAA), (-32768, 0x2A), (1000, 0xFA), (-1000, 0x7A)]
)
def test_given_a_known_sample_when_coded_then_it_is_the_published_code_word(sample: int, code: int) -> None:
    assert alaw.encode(np.array([sample], dtype=np.int16)) == bytes([code])


def test_given_audioop_when_every_input_is_compared_then_coding_and_decoding_are_identical() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        audioop = pytest.importorskip("audioop", reason="this Python has no audioop and no audioop-lts")
    words = bytes(range(256))
    assert alaw.encode(EVERY_SAMPLE) == audioop.lin2alaw(EVERY_SAMPLE.tobytes(), 2)
    assert alaw.decode(words).tobytes() == audioop.alaw2lin(words, 2)


def test_given_every_code_word_when_decoded_and_coded_then_it_comes_back() -> None:
    words = bytes(range(256))
    assert alaw.encode(alaw.decode(words)) == words


def test_given_any_sample_when_it_goes_over_the_phone_then_the_error_stays_within_the_step() -> None:
    heard = alaw.decode(alaw.encode(EVERY_SAMPLE)).astype(np.int64)
    error = np.abs(heard - EVERY_SAMPLE.astype(np.int64))
    assert np.all(error <= np.maximum(16, np.abs(EVERY_SAMPLE.astype(np.int64)) // 32 + 16))


def test_given_silence_when_coded_then_it_is_the_silence_word() -> None:
    assert alaw.encode(np.zeros(3, dtype=np.int16)) == alaw.SILENCE * 3

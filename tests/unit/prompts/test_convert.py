import struct

import numpy as np
import pytest

from controller.prompts import alaw, convert, loudness, wav
from controller.prompts.errors import SoundFileError, SoundProblem
from controller.prompts.resample import FloatArray, to_float, to_int16

TONE = (0.3 * np.sin(2 * np.pi * 400 * np.arange(8000) / 8000)).astype(np.float32)


def file(
    tag: int, bits: int, data: bytes, *, rate: int = 8000, channels: int = 1, size: int | None = None
) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate, rate * block, block, bits)
    body = form + struct.pack("<4sI", b"data", len(data) if size is None else size) + data
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WAVE") + body


def pcm24(samples: FloatArray) -> bytes:
    wide = (samples.astype(np.float64) * 2**23).astype("<i4")
    return wide.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


@pytest.mark.requirement("C5", "D4")
@pytest.mark.parametrize(
    ("tag", "bits", "data"),
    [
        (1, 8, (TONE * 127 + 128).astype(np.uint8).tobytes()),
        (1, 16, to_int16(TONE).astype("<i2").tobytes()),
        (1, 24, pcm24(TONE)),
        (1, 32, (TONE.astype(np.float64) * 2**31).astype("<i4").tobytes()),
        (3, 32, TONE.astype("<f4").tobytes()),
        (3, 64, TONE.astype("<f8").tobytes()),
        (6, 8, alaw.encode(to_int16(TONE))),
    ],
)
def test_given_a_tone_in_any_coding_when_converted_then_it_is_the_same_tone_at_the_even_loudness(
    tag: int, bits: int, data: bytes
) -> None:
    converted = wav.check(convert.to_telephone(file(tag, bits, data)))
    heard = to_float(alaw.decode(converted.data))
    assert heard.size == TONE.size
    assert loudness.active_loudness(heard) == pytest.approx(loudness.TARGET_DBFS, abs=0.2)
    assert np.corrcoef(heard, TONE)[0, 1] > 0.999


def test_given_every_mu_law_word_when_decoded_then_it_is_the_sample_of_g711() -> None:
    samples, _ = convert.samples_of(file(7, 8, bytes([0x00, 0x7F, 0x80, 0xFF, 0x0F, 0xF0])))
    assert to_int16(samples).tolist() == [-32124, 0, 32124, 0, -16764, 120]


@pytest.mark.requirement("C5")
def test_given_stereo_at_another_rate_when_converted_then_it_is_mono_at_8_khz() -> None:
    pytest.importorskip("soxr")
    time = np.arange(44100) / 44100
    left = (0.5 * np.sin(2 * np.pi * 400 * time)).astype(np.float32)
    both = np.stack([left, np.zeros_like(left)], axis=1).astype("<f4").tobytes()
    converted = wav.check(convert.to_telephone(file(3, 32, both, rate=44100, channels=2)))
    assert converted.seconds == pytest.approx(1.0, abs=0.001)


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"ID3 this is an MP3 file", SoundProblem.NOT_A_WAV),
        (file(0x55, 16, bytes(100)), SoundProblem.CANNOT_CONVERT),
        (file(1, 12, bytes(100)), SoundProblem.CANNOT_CONVERT),
        (file(1, 16, bytes(100), rate=1000), SoundProblem.CANNOT_CONVERT),
        (file(1, 16, bytes(100), channels=9), SoundProblem.CANNOT_CONVERT),
        (file(1, 16, b""), SoundProblem.NO_SOUND),
        (file(1, 16, bytes(100), size=101), SoundProblem.TRUNCATED_DATA),
        (file(1, 16, bytes(2 * 8000 * 263)), SoundProblem.TOO_LARGE),
        (bytes(convert.MAX_SOURCE_BYTES + 1), SoundProblem.TOO_LARGE),
    ],
)
def test_given_a_file_that_cannot_be_converted_when_tried_then_the_problem_is_named(
    data: bytes, problem: SoundProblem
) -> None:
    with pytest.raises(SoundFileError) as caught:
        convert.to_telephone(data)
    assert caught.value.problem is problem


def test_given_a_streamed_file_when_read_then_it_ends_where_the_bytes_end() -> None:
    streamed = file(1, 16, to_int16(TONE).tobytes(), size=0xFFFFFFFF)
    samples, rate = convert.samples_of(streamed, streamed=True)
    assert (samples.size, rate) == (8000, 8000)


def test_given_broken_floats_when_converted_then_they_do_no_harm() -> None:
    data = np.array([np.nan, np.inf, -np.inf, 0.5] * 400, dtype="<f4").tobytes()
    assert wav.check(convert.to_telephone(file(3, 32, data)))

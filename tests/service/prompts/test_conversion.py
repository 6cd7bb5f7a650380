"""From files of every form to the required one: decoding, and the process that does it."""

import asyncio
import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from controller.prompts import alaw, loudness, wav
from controller.prompts.conversion.converter import Converter
from controller.prompts.conversion.decode import samples_of, telephone_samples
from controller.prompts.errors import ConversionBusyError, SoundFileError, SoundProblem
from controller.prompts.resample import FloatArray, to_float, to_int16
from controller.prompts.waveform import peaks

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


def encoded(kind: str, samples: FloatArray, rate: int, subtype: str | None = None) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, samples, rate, format=kind, subtype=subtype)
    return target.getvalue()


def stereo(rate: int, seconds: float = 1.0) -> FloatArray:
    tone = (0.05 * np.sin(2 * np.pi * 400 * np.arange(int(rate * seconds)) / rate)).astype(np.float32)
    return np.stack([tone, tone], axis=1)


def stored(folder: Path, data: bytes) -> Path:
    path = folder / "upload"
    path.write_bytes(data)
    return path


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
def test_given_a_tone_in_any_coding_of_wav_when_decoded_then_it_is_the_same_tone(
    tmp_path: Path, tag: int, bits: int, data: bytes
) -> None:
    samples, source = telephone_samples(stored(tmp_path, file(tag, bits, data)))
    assert samples.size == TONE.size
    assert np.corrcoef(samples, TONE)[0, 1] > 0.999
    assert source == "WAV, 8000 Hz, mono"


def test_given_every_mu_law_word_when_decoded_then_it_is_the_sample_of_g711() -> None:
    samples, _ = samples_of(file(7, 8, bytes([0x00, 0x7F, 0x80, 0xFF, 0x0F, 0xF0])))
    assert to_int16(samples).tolist() == [-32124, 0, 32124, 0, -16764, 120]


@pytest.mark.requirement("C5", "D4")
@pytest.mark.parametrize(
    ("kind", "rate", "subtype", "source"),
    [
        ("WAV", 44100, "PCM_16", "WAV, 44100 Hz, 2 channels"),
        ("WAV", 8000, "GSM610", "WAV, 8000 Hz, mono"),
        ("MP3", 44100, None, "MP3, 44100 Hz, 2 channels"),
        ("OGG", 48000, "VORBIS", "Ogg, 48000 Hz, 2 channels"),
        ("OGG", 48000, "OPUS", "Ogg, 48000 Hz, 2 channels"),
        ("FLAC", 96000, None, "FLAC, 96000 Hz, 2 channels"),
    ],
)
async def test_C5_given_a_soft_file_of_each_kind_when_converted_then_it_has_the_form_and_the_even_loudness(
    tmp_path: Path, kind: str, rate: int, subtype: str | None, source: str
) -> None:
    samples = stereo(rate) if subtype != "GSM610" else stereo(rate)[:, 0]
    ready = await Converter().convert(stored(tmp_path, encoded(kind, samples, rate, subtype)))

    heard = to_float(alaw.decode(wav.read(wav.write(ready.audio))))
    assert ready.source == source
    assert ready.duration_ms == pytest.approx(1000, abs=80)
    assert loudness.active_loudness(heard) == pytest.approx(loudness.TARGET_DBFS, abs=0.3)
    middle = heard[2000:6000] * np.hanning(4000)
    assert np.argmax(np.abs(np.fft.rfft(middle))) * 2 == pytest.approx(400, abs=4)


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    ("data", "problem", "words"),
    [
        (b"", SoundProblem.CANNOT_CONVERT, "no sound that can be converted"),
        (b"%PDF-1.7 not a sound", SoundProblem.CANNOT_CONVERT, "WAV, MP3, Ogg and FLAC can"),
        (b"RIFF\x10", SoundProblem.TRUNCATED_HEADER, "cut off"),
        (b"ID3\x04" + bytes(500), SoundProblem.CANNOT_CONVERT, "MP3 file is damaged"),
        (b"OggS" + bytes(500), SoundProblem.CANNOT_CONVERT, "Ogg file is damaged"),
        (b"fLaC" + b"\xff" * 500, SoundProblem.CANNOT_CONVERT, "FLAC file is damaged"),
        (file(1, 16, bytes(100), rate=1000), SoundProblem.CANNOT_CONVERT, "1000 Hz and 1 channels"),
        (file(1, 16, bytes(180), channels=9), SoundProblem.CANNOT_CONVERT, "9 channels"),
        (file(1, 16, b""), SoundProblem.NO_SOUND, "no sound"),
        (file(1, 16, bytes(100), size=101), SoundProblem.TRUNCATED_DATA, "announces 101 bytes"),
        (file(1, 16, bytes(100), size=2**30), SoundProblem.TRUNCATED_DATA, "announces 1073741824 bytes"),
        (file(1, 16, bytes(2 * 8000 * 263)), SoundProblem.TOO_LARGE, "longer than 262 seconds"),
    ],
)
async def test_C5_given_a_file_that_cannot_be_converted_when_tried_then_the_message_says_why(
    tmp_path: Path, data: bytes, problem: SoundProblem, words: str
) -> None:
    with pytest.raises(SoundFileError, match=words) as caught:
        await Converter().convert(stored(tmp_path, data))
    assert caught.value.problem is problem


@pytest.mark.requirement("C5")
async def test_C5_given_two_hours_of_sound_in_a_small_file_when_converted_then_it_is_given_up_early(
    tmp_path: Path,
) -> None:
    bomb = tmp_path / "bomb.flac"
    with soundfile.SoundFile(bomb, "w", 8000, 1, format="FLAC") as target:
        for _ in range(12):
            target.write(np.zeros(600 * 8000, np.float32))
    assert bomb.stat().st_size < 300_000

    began = asyncio.get_running_loop().time()
    with pytest.raises(SoundFileError, match="longer than 262 seconds"):
        await Converter(niceness=0).convert(bomb)
    # Decoding all of it would take many times as long as making it did.
    assert asyncio.get_running_loop().time() - began < 10


async def test_given_a_file_that_takes_too_long_when_converted_then_its_process_is_ended(
    tmp_path: Path,
) -> None:
    with pytest.raises(SoundFileError, match=r"took more than 0\.01 seconds"):
        await Converter(timeout=0.01).convert(stored(tmp_path, file(1, 16, bytes(16000))))


async def test_given_as_many_files_as_may_wait_when_another_comes_then_it_is_refused_at_once(
    tmp_path: Path,
) -> None:
    converter = Converter(waiting=1)
    path = stored(tmp_path, file(1, 16, to_int16(TONE).tobytes()))
    first = asyncio.create_task(converter.convert(path))
    await asyncio.sleep(0)
    with pytest.raises(ConversionBusyError):
        await converter.convert(path)
    assert (await first).duration_ms == 1000


async def test_given_a_process_that_dies_over_a_file_when_looked_at_then_the_file_is_refused(
    tmp_path: Path,
) -> None:
    with pytest.raises(SoundFileError, match="can't be read as sound"):
        await Converter().convert(tmp_path / "gone")


@pytest.mark.requirement("C5", "D4")
async def test_C5_given_a_file_in_the_required_form_when_checked_then_it_stays_to_the_byte(
    tmp_path: Path,
) -> None:
    even = alaw.encode(to_int16(loudness.level(TONE)))
    ready = await Converter().check(stored(tmp_path, wav.write(even)))
    assert (ready.audio, ready.source) == (even, "")


@pytest.mark.requirement("C5")
async def test_C5_given_a_file_of_another_form_when_checked_then_every_broken_rule_is_named(
    tmp_path: Path,
) -> None:
    with pytest.raises(SoundFileError) as caught:
        await Converter().check(stored(tmp_path, encoded("WAV", stereo(44100), 44100, "PCM_16")))
    assert str(caught.value) == (
        "The coding is PCM, it must be A-law; The file has 2 channels, it must have 1 (mono); "
        "The sampling rate is 44100 Hz, it must be 8000 Hz"
    )


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFF000])
def test_given_a_streamed_file_when_read_then_it_ends_where_the_bytes_end(size: int) -> None:
    samples, rate = samples_of(file(1, 16, to_int16(TONE).tobytes(), size=size))
    assert (samples.size, rate) == (8000, 8000)


def test_given_broken_floats_when_decoded_then_they_do_no_harm(tmp_path: Path) -> None:
    data = np.array([np.nan, np.inf, -np.inf, 0.5] * 400, dtype="<f4").tobytes()
    samples, _ = telephone_samples(stored(tmp_path, file(3, 32, data)))
    assert np.isfinite(samples).all()


@pytest.mark.requirement("C5")
def test_C5_given_a_sound_when_drawn_then_each_peak_is_the_loudest_sample_of_its_part() -> None:
    audio = alaw.encode(np.repeat(np.array([0, 8192, -16384, 0], np.int16), 1000))
    assert peaks(audio, 4) == pytest.approx([0, 0.25, 0.5, 0], abs=0.01)
    assert len(peaks(audio[:3], 10)) == 3
    assert peaks(b"", 10) == []

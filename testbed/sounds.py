"""Prompts for tests: each seed sounds like no other, so that a recording tells which prompt was heard."""

import wave
from pathlib import Path

import numpy as np

from controller.prompts import alaw, wav

_LOWEST, _HIGHEST, _PEAK = 300.0, 3000.0, 9000.0


def distinct_prompt(seed: int, seconds: float = 1.0) -> bytes:
    """A sound file of band-limited noise that is the same for the same seed."""
    size = int(seconds * wav.RATE)
    random = np.random.default_rng(seed)
    frequencies = np.fft.rfftfreq(size, 1 / wav.RATE)
    band = (frequencies >= _LOWEST) & (frequencies <= _HIGHEST)
    phases = np.exp(2j * np.pi * random.random(frequencies.size))
    samples = np.fft.irfft(np.where(band, phases, 0), size)
    scaled = np.clip(samples / np.std(samples) * _PEAK / 3, -_PEAK, _PEAK)
    return wav.write(alaw.encode(scaled.astype(np.int16)))


def as_pcm(sound_file: Path, directory: Path, *, silence: float = 0.0) -> Path:
    """A sound file of the platform as a softphone plays it: 16-bit PCM, in `directory`, after `silence` s."""
    directory.mkdir(exist_ok=True)
    path = directory / sound_file.name
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, wav.RATE, 0, "NONE", ""))
        file.writeframes(bytes(2 * round(silence * wav.RATE)))
        file.writeframes(alaw.decode(wav.read(sound_file.read_bytes())).astype("<i2").tobytes())
    return path

"""Prompts for tests: each seed sounds like no other, so that a recording tells which prompt was heard."""

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

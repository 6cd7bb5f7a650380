"""Proof of what a phone heard: a prompt found in a recording, tones, stretches of sound and of silence."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

_PCM, _ALAW, _ULAW, _EXTENSIBLE = 1, 6, 7, 0xFFFE
_FAINT = 1e-3  # rms below which a stretch counts as silent: -60 dBFS, the noise of A-law coding


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """Mono sound: samples between -1 and 1, and samples per second."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        return self.samples.size / self.rate

    def part(self, start: float, end: float | None = None) -> "Audio":
        """The stretch between two times in seconds."""
        last = None if end is None else round(end * self.rate)
        return Audio(self.samples[round(start * self.rate) : last], self.rate)

    def at_rate(self, rate: int) -> "Audio":
        """The same sound with another number of samples per second."""
        if rate == self.rate or not self.samples.size:
            return Audio(self.samples, rate)
        size = round(self.samples.size * rate / self.rate)
        spectrum = np.fft.rfft(self.samples)
        kept = np.zeros(size // 2 + 1, dtype=complex)
        common = min(kept.size, spectrum.size)
        kept[:common] = spectrum[:common]
        return Audio(np.fft.irfft(kept, size) * (size / self.samples.size), rate)

    def rms(self, start: float = 0.0, end: float | None = None) -> float:
        """Root mean square of a stretch; 1.0 is full scale."""
        part = self.part(start, end).samples
        return float(np.sqrt(np.mean(part**2))) if part.size else 0.0


@dataclass(frozen=True, slots=True)
class Match:
    """Where a prompt fits best (seconds from the beginning) and how well (1.0: the same sound)."""

    offset: float
    correlation: float


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` to `end`, in seconds."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


# Reading


def load_wav(path: Path) -> Audio:
    """Read a WAV file with 16-bit PCM, A-law or mu-law in it; several channels are mixed into one."""
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is no WAV file")
    chunks = _chunks(data)
    if b"fmt " not in chunks or b"data" not in chunks:
        raise ValueError(f"{path} lacks a format or its sound")
    header = chunks[b"fmt "]
    coding, channels, rate = struct.unpack_from("<HHI", header)
    width = struct.unpack_from("<H", header, 14)[0]
    if coding == _EXTENSIBLE:
        coding = struct.unpack_from("<H", header, 24)[0]
    samples = _decoded(chunks[b"data"], coding, width, path)
    return Audio(samples[: samples.size // channels * channels].reshape(-1, channels).mean(axis=1), rate)


def load_alaw(path: Path, rate: int = 8000) -> Audio:
    """Read a file of bare A-law bytes."""
    return Audio(decode_alaw(path.read_bytes()), rate)


def decode_alaw(data: bytes) -> Samples:
    """ITU-T G.711 A-law bytes as samples between -1 and 1."""
    code = np.frombuffer(data, np.uint8).astype(np.int64) ^ 0x55
    exponent, mantissa = (code & 0x70) >> 4, code & 0x0F
    size = np.where(
        exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(code & 0x80, size, -size) / 32768.0


def decode_ulaw(data: bytes) -> Samples:
    """ITU-T G.711 mu-law bytes as samples between -1 and 1."""
    code = ~np.frombuffer(data, np.uint8).astype(np.int64) & 0xFF
    size = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -size, size) / 32768.0


def _chunks(data: bytes) -> dict[bytes, bytes]:
    chunks: dict[bytes, bytes] = {}
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        chunks.setdefault(name, data[position + 8 : position + 8 + size])
        position += 8 + size + size % 2
    return chunks


def _decoded(data: bytes, coding: int, width: int, path: Path) -> Samples:
    if coding == _PCM and width == 16:
        return np.frombuffer(data[: len(data) // 2 * 2], "<i2") / 32768.0
    if coding == _ALAW:
        return decode_alaw(data)
    if coding == _ULAW:
        return decode_ulaw(data)
    raise ValueError(f"{path}: WAV coding {coding} with {width} bits can't be read")


# Finding


def find(prompt: Audio, recording: Audio) -> Match:
    """Where in the recording the prompt fits best, over its whole length.

    The correlation is normalised over the stretch that is compared, so loudness doesn't matter. It is below
    0.3 for other material and above 0.9 for a copy through A-law; of a prompt that is cut off it is the
    square root of the share (of its power) that is there. A recording in which frames were lost or repeated
    on the way no longer fits over its whole length: use `share_heard` then.
    """
    correlations, room = _fit(prompt, recording)
    best = int(np.argmax(correlations))
    return Match((best - room) / recording.rate, float(correlations[best]))


def sequence(
    sounds: Mapping[str, Audio], recording: Audio, correlation: float = 0.5, length: float = 0.5
) -> list[tuple[str, Match]]:
    """Which of some short sounds are in the recording, in their order, each as often as it is there.

    Each is the one that fits best where it is, above `correlation`; two don't begin within `length` seconds
    of each other. Recorded digits fit at 1.0 where they are, another one at 0.57 at most; one of which a
    frame was lost on the way fits at 0.5 at least, and still best.
    """
    fits = {name: _fit(sound, recording) for name, sound in sounds.items()}
    apart = round(length * recording.rate)
    found: list[tuple[str, Match]] = []
    while fits:
        name = max(fits, key=lambda name: float(fits[name][0].max()))
        correlations, room = fits[name]
        best = int(np.argmax(correlations))
        if correlations[best] < correlation:
            break
        start = best - room
        found.append((name, Match(start / recording.rate, float(correlations[best]))))
        for others, room in fits.values():
            others[max(start + room - apart, 0) : max(start + room + apart, 0)] = 0.0
    return sorted(found, key=lambda item: item[1].offset)


def _fit(prompt: Audio, recording: Audio) -> tuple[Samples, int]:
    """How well the prompt fits wherever it may begin, and the place where the recording begins."""
    wanted = prompt.at_rate(recording.rate).samples
    power = float(np.sum(wanted**2))
    if power == 0.0:
        return np.zeros(1), 0
    # Room on both sides, so that a prompt that is cut off is found too.
    room = np.zeros(wanted.size - 1)
    heard = np.concatenate((room, recording.samples, room))
    size = 1 << (heard.size + wanted.size).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(wanted, size))
    products = np.fft.irfft(spectrum, size)[: heard.size - wanted.size + 1]
    running = np.concatenate(([0.0], np.cumsum(heard**2)))
    energies = np.maximum(running[wanted.size :] - running[: -wanted.size], wanted.size * _FAINT**2)
    return products / np.sqrt(energies * power), room.size


def share_heard(
    prompt: Audio,
    recording: Audio,
    length: float = 0.25,
    correlation: float = 0.8,
    drift: float = 0.5,
) -> float:
    """How much of the prompt (0 to 1) was heard in its own order, in pieces of `length` seconds.

    A piece counts if it fits that well, no further than `drift` seconds from where the prompt as a whole
    (or the piece before) says it should be: so frames that were lost or repeated on the way cost only the
    pieces they were in. Silent pieces don't count.
    """
    shift = find(prompt, recording).offset
    loud = heard = 0
    for start in np.arange(0.0, max(prompt.seconds - length, 0.0) + 1e-9, length):
        piece = prompt.part(start, start + length)
        if piece.rms() < _FAINT:
            continue
        loud += 1
        begin = max(start + shift - drift, 0.0)
        match = find(piece, recording.part(begin, max(start + shift + length + drift, 0.0)))
        if match.correlation >= correlation:
            heard += 1
            shift = begin + match.offset - float(start)
    return heard / loud if loud else 0.0


def tone_share(
    audio: Audio, frequency: float, start: float = 0.0, end: float | None = None, width: float = 40.0
) -> float:
    """How much of the power between two times lies within `width` Hz around a frequency (0 to 1)."""
    samples = audio.part(start, end).samples
    if samples.size < 2:
        return 0.0
    # A whole tone keeps within two bins of a Hann window; a short stretch has wide bins.
    reach = max(width / 2, 2 * audio.rate / samples.size)
    powers = np.abs(np.fft.rfft((samples - samples.mean()) * np.hanning(samples.size))) ** 2
    frequencies = np.fft.rfftfreq(samples.size, 1 / audio.rate)
    total = float(powers.sum())
    if total == 0.0 or audio.rms(start, end) < _FAINT:
        return 0.0
    return float(powers[np.abs(frequencies - frequency) <= reach].sum()) / total


def tone_stretches(
    audio: Audio, frequency: float, share: float = 0.8, window: float = 0.08, minimum: float = 0.1
) -> list[Stretch]:
    """When a tone sounds; exact to half a `window`."""
    step = window / 4
    starts = np.arange(0.0, max(audio.seconds - window, 0.0) + step / 2, step)
    on = [tone_share(audio, frequency, start, start + window) >= share for start in starts]
    stretches = _stretches(np.array(on, dtype=bool), step)
    # A window that lies half inside a tone is seen as tone, so the middle of the window is what counts.
    shifted = [
        Stretch(item.start + window / 2 - step / 2, item.end + window / 2 - step / 2) for item in stretches
    ]
    return [item for item in shifted if item.seconds >= minimum]


def sound_stretches(
    audio: Audio, threshold_db: float = -45.0, pause: float = 0.2, minimum: float = 0.04, frame: float = 0.01
) -> list[Stretch]:
    """When there is sound above a level (dBFS); a pause shorter than `pause` belongs to the sound."""
    size = max(1, round(frame * audio.rate))
    count = audio.samples.size // size
    levels = np.sqrt(np.mean(audio.samples[: count * size].reshape(count, size) ** 2, axis=1))
    found: list[Stretch] = []
    for item in _stretches(levels > 10 ** (threshold_db / 20), size / audio.rate):
        if found and item.start - found[-1].end < pause:
            found[-1] = Stretch(found[-1].start, item.end)
        else:
            found.append(item)
    return [item for item in found if item.seconds >= minimum]


def silence_stretches(audio: Audio, threshold_db: float = -45.0, minimum: float = 0.2) -> list[Stretch]:
    """What lies between the stretches of sound, beginning and end included."""
    sounds = sound_stretches(audio, threshold_db, minimum)
    edges = [0.0, *(time for item in sounds for time in (item.start, item.end)), audio.seconds]
    gaps = [Stretch(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return [item for item in gaps if item.seconds >= minimum]


def _stretches(on: NDArray[np.bool_], step: float) -> list[Stretch]:
    """Runs of true values as times."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], on, [False])).astype(np.int8)))
    return [
        Stretch(float(start * step), float(end * step))
        for start, end in zip(edges[::2], edges[1::2], strict=True)
    ]

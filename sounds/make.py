"""Makes the shipped prompts from ``recipe.toml``: ``python -m sounds.make``.

With the same model files the result is the same, to the byte on the same kind of processor. ``--check``
renders nothing: it says whether the committed files are those of the recipe, in the required form and evenly
loud.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from controller.prompts import alaw, loudness, wav
from controller.prompts.errors import PromptError
from controller.prompts.resample import TELEPHONE_RATE, FloatArray, resample, to_float, to_int16
from controller.prompts.speech.engine import BlockingEngine, Language, Passage, Speech
from controller.prompts.speech.kokoro import KokoroEngine

HERE: Final = Path(__file__).parent
MODELS: Final = HERE.parent / ".cache" / "speech-models"
LOUDNESS_SPREAD_DB: Final = 1.0
_LEAD: Final = 0.05
_CUT_FRAME: Final = 0.005
_SYLLABLE_SECONDS: Final = (0.2, 0.45)


@dataclass(frozen=True, slots=True)
class Spoken:
    """A prompt that the engine says; ``pauses`` are the seconds of silence before and after it."""

    name: str
    passage: Passage
    speed: float
    pauses: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Digit(Spoken):
    """A digit of a fixed length in seconds; ``cut`` when other digits are said after it, to be cut off."""

    seconds: float = 0.0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Tone:
    """A prompt made of numbers."""

    name: str
    settings: dict[str, Any]


def read_recipe(path: Path = HERE / "recipe.toml") -> tuple[list[Spoken], list[Tone]]:
    """What the recipe asks for."""
    recipe = tomllib.loads(path.read_text(encoding="utf-8"))
    return list(_spoken(recipe)), [Tone(f"{name}.wav", made) for name, made in recipe["tone"].items()]


def _spoken(recipe: dict[str, Any]) -> Iterator[Spoken]:
    for code, texts in recipe["speech"].items():
        speed = texts.pop("speed")
        for name, text in texts.items():
            pauses = tuple(recipe["pauses"].get(name, (_LEAD, _LEAD)))
            yield Spoken(f"{code}/{name}.wav", Passage(text, Language(code)), speed, pauses)
    for code, digits in recipe["digits"].items():
        for digit, text in enumerate(digits["texts"]):
            passage = Passage(text, Language(code))
            cut = " " in text
            pauses = (_LEAD, 0.0)
            yield Digit(f"{code}/digit_{digit}.wav", passage, digits["speed"], pauses, digits["seconds"], cut)


def for_the_phone(samples: FloatArray) -> bytes:
    """A WAV file of 8 kHz samples."""
    return wav.write(alaw.encode(to_int16(samples)))


def spoken_samples(speech: Speech, prompt: Spoken) -> FloatArray:
    """What was said, at 8 kHz and the even loudness, with a little silence around it."""
    if not isinstance(prompt, Digit):
        before, after = (round(seconds * TELEPHONE_RATE) for seconds in prompt.pauses)
        return np.pad(_for_8_khz(speech), (before, after))
    said = first_syllable(speech, prompt.speed) if prompt.cut else speech
    samples = _for_8_khz(said)
    length, lead = round(prompt.seconds * TELEPHONE_RATE), round(prompt.pauses[0] * TELEPHONE_RATE)
    if samples.size + lead > length:
        raise ValueError(f"{samples.size / TELEPHONE_RATE:.2f} s of speech don't fit into {prompt.seconds} s")
    return np.pad(samples, (lead, length - lead - samples.size))


def _for_8_khz(speech: Speech) -> FloatArray:
    return loudness.level(resample(speech.samples, speech.rate))


def first_syllable(speech: Speech, speed: float) -> Speech:
    """What was said up to the quietest moment between the first and the second syllable."""
    frame = round(_CUT_FRAME * speech.rate)
    count = speech.samples.size // frame
    frames = speech.samples[: count * frame].reshape(count, frame).astype(np.float64)
    power = np.convolve(np.mean(np.square(frames), axis=1), np.ones(3) / 3, "same")
    onset = int(np.flatnonzero(power > power.max() * 1e-3)[0])
    first, last = (onset + round(seconds / speed / _CUT_FRAME) for seconds in _SYLLABLE_SECONDS)
    end = (first + int(np.argmin(power[first:last]))) * frame
    start = max(0, onset * frame - round(0.03 * speech.rate))
    said = speech.samples[start:end].copy()
    fade = round(0.02 * speech.rate)
    said[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    return Speech(said, speech.rate)


def tone_samples(settings: dict[str, Any]) -> FloatArray:
    """Samples of a tone at 8 kHz."""
    if settings["kind"] == "silence":
        return np.zeros(round(settings["seconds"] * TELEPHONE_RATE), dtype=np.float32)
    made = _cadence(settings) if settings["kind"] == "cadence" else _melody(settings)
    return loudness.level(made)


def _cadence(settings: dict[str, Any]) -> FloatArray:
    time = np.arange(round(settings["on"] * TELEPHONE_RATE)) / TELEPHONE_RATE
    tone = np.sin(2 * np.pi * settings["hertz"] * time)
    edge = round(0.005 * TELEPHONE_RATE)
    tone[:edge] *= np.linspace(0, 1, edge)
    tone[-edge:] *= np.linspace(1, 0, edge)
    off = np.zeros(round(settings["off"] * TELEPHONE_RATE))
    cadence: FloatArray = np.concatenate([0.1 * tone, off]).astype(np.float32)
    return cadence


def _melody(settings: dict[str, Any]) -> FloatArray:
    notes = " ".join(settings["bars"]).split()
    beat = round(settings["beat"] * TELEPHONE_RATE)
    loop = np.zeros(beat * len(notes))
    for position, note in enumerate(notes):
        if note != ".":
            sound = _bell(523.25 * 2 ** (int(note) / 12))
            places = (np.arange(sound.size) + position * beat) % loop.size
            loop[places] += sound
    melody: FloatArray = (loop / np.max(np.abs(loop))).astype(np.float32)
    return melody


def _bell(hertz: float) -> FloatArray:
    """A soft struck bar: a fundamental and two overtones that fade sooner."""
    time = np.arange(round(1.6 * TELEPHONE_RATE)) / TELEPHONE_RATE
    partials = ((1.0, 1.0, 2.6), (2.0, 0.28, 4.5), (3.0, 0.1, 8.0))
    sound = np.zeros_like(time)
    for multiple, weight, decay in partials:
        if multiple * hertz < 3400:
            sound += weight * np.sin(2 * np.pi * multiple * hertz * time) * np.exp(-decay * time)
    attack = 1 - np.exp(-time / 0.006)
    tail = np.minimum(1, (time[-1] - time) / 0.2)
    bell: FloatArray = (sound * attack * tail).astype(np.float32)
    return bell


def make(engines: dict[float, BlockingEngine], only: str | None = None) -> list[str]:
    """Render what the recipe asks for and return the names of the files that changed."""
    spoken, tones = read_recipe()
    files: dict[str, bytes] = {}
    for prompt in spoken:
        if only is None or only in prompt.name:
            speech = engines[prompt.speed].render(prompt.passage)
            files[prompt.name] = for_the_phone(spoken_samples(speech, prompt))
    for tone in tones:
        if only is None or only in tone.name:
            files[tone.name] = for_the_phone(tone_samples(tone.settings))
    return [name for name, file in files.items() if _written(HERE / name, file)]


def _written(path: Path, file: bytes) -> bool:
    if path.is_file() and path.read_bytes() == file:
        return False
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(file)
    return True


def complaints() -> list[str]:
    """What is wrong with the committed files; an empty list when nothing is."""
    spoken, tones = read_recipe()
    expected = {prompt.name for prompt in spoken} | {tone.name for tone in tones}
    found = {path.relative_to(HERE).as_posix() for path in HERE.rglob("*.wav")}
    wrong = [f"{name}: is not in the recipe" for name in sorted(found - expected)]
    wrong += [f"{name}: is missing" for name in sorted(expected - found)]
    for name in sorted(expected & found):
        try:
            samples = to_float(alaw.decode(wav.read((HERE / name).read_bytes())))
        except PromptError as error:
            wrong.append(f"{name}: {error}")
            continue
        loud = loudness.active_loudness(samples)
        if loud is not None and abs(loud - loudness.TARGET_DBFS) > LOUDNESS_SPREAD_DB / 2:
            wrong.append(f"{name}: {loud:.1f} dBFS instead of {loudness.TARGET_DBFS}")
    return wrong


def _run(arguments: argparse.Namespace) -> int:
    if arguments.check:
        wrong = complaints()
        print("\n".join(wrong) or "The shipped prompts are those of the recipe.")
        return 1 if wrong else 0
    speeds = {prompt.speed for prompt in read_recipe()[0]}
    engines: dict[float, BlockingEngine] = {
        speed: KokoroEngine(arguments.models, threads=2, speed=speed) for speed in speeds
    }
    for name in make(engines, arguments.only):
        print(name)
    return 0


def main() -> int:
    """Entry point of ``python -m sounds.make``."""
    parser = argparse.ArgumentParser(prog="python -m sounds.make", description=__doc__)
    parser.add_argument("--models", type=Path, default=MODELS, help="folder of the speech model")
    parser.add_argument("--only", help="render only the files whose name has this in it")
    parser.add_argument("--check", action="store_true", help="look at the committed files, render nothing")
    return _run(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())

import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from controller.share import shared
from testbed.listening import (
    Audio,
    decode_alaw,
    decode_ulaw,
    find,
    load_alaw,
    load_wav,
    sequence,
    share_heard,
    silence_stretches,
    sound_stretches,
    tone_share,
    tone_stretches,
)

RATE = 8000
LANGUAGES = ["zh", "en"]
DIGITS = {
    language: {digit: load_wav(shared("sounds") / language / f"digit_{digit}.wav") for digit in "0123456789"}
    for language in LANGUAGES
}


def speech(seconds: float, seed: int, rate: int = RATE) -> Audio:
    """Noise shaped like speech: narrow formants that come and go in syllables."""
    random = np.random.default_rng(seed)
    size = round(seconds * rate)
    spectrum = np.fft.rfft(random.normal(size=size))
    frequencies = np.fft.rfftfreq(size, 1 / rate)
    shape = sum(np.exp(-(((frequencies - formant) / 120) ** 2)) for formant in (300, 900, 2100))
    syllables = np.clip(np.repeat(random.uniform(-0.3, 1, size // 1000 + 1), 1000)[:size], 0.02, None)
    samples = np.fft.irfft(spectrum * shape, size) * syllables
    return Audio(samples / np.abs(samples).max() * 0.7, rate)


def tone(frequency: float, seconds: float, rate: int = RATE, level: float = 0.3) -> Audio:
    return Audio(level * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate), rate)


def silence(seconds: float, rate: int = RATE) -> Audio:
    return Audio(np.zeros(round(seconds * rate)), rate)


def joined(*parts: Audio) -> Audio:
    return Audio(np.concatenate([part.samples for part in parts]), parts[0].rate)


def alaw_bytes(audio: Audio) -> bytes:
    """The nearest A-law code of each sample, found in the decoder's own table."""
    table = decode_alaw(bytes(range(256)))
    order = np.argsort(table)
    middles = (table[order][1:] + table[order][:-1]) / 2
    return order[np.searchsorted(middles, audio.samples)].astype(np.uint8).tobytes()


def through_alaw(audio: Audio) -> Audio:
    return Audio(decode_alaw(alaw_bytes(audio)), audio.rate)


def wav_bytes(coding: int, width: int, data: bytes, rate: int = RATE, extra: bytes = b"") -> bytes:
    header = struct.pack("<HHIIHH", coding, 1, rate, rate * width // 8, width // 8, width)
    chunks = b"fmt " + struct.pack("<I", len(header)) + header + extra
    chunks += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


# Reading


def test_given_the_codes_of_the_standard_when_alaw_is_decoded_then_the_values_are_its_own() -> None:
    assert (decode_alaw(bytes([0xD5, 0x55, 0xAA, 0x2A])) * 32768).tolist() == [8, -8, 32256, -32256]


def test_given_the_codes_of_the_standard_when_ulaw_is_decoded_then_the_values_are_its_own() -> None:
    assert (decode_ulaw(bytes([0xFF, 0x7F, 0x80, 0x00])) * 32768).tolist() == [0, 0, 32124, -32124]


@pytest.mark.parametrize("rate", [8000, 16000])
def test_given_16_bit_pcm_when_loaded_then_samples_and_rate_are_kept(tmp_path: Path, rate: int) -> None:
    path = tmp_path / "a.wav"
    source = tone(440, 0.5, rate)
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, rate, 0, "NONE", ""))
        out.writeframes((source.samples * 32767).astype("<i2").tobytes())
    loaded = load_wav(path)
    assert loaded.rate == rate
    assert loaded.seconds == pytest.approx(0.5)
    assert np.allclose(loaded.samples, source.samples, atol=1e-4)


def test_given_alaw_in_wav_with_an_odd_chunk_before_when_loaded_then_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    source = tone(440, 0.5)
    path.write_bytes(wav_bytes(6, 8, alaw_bytes(source), extra=b"LIST" + struct.pack("<I", 3) + b"abc\0"))
    assert np.allclose(load_wav(path).samples, source.samples, atol=0.02)


def test_given_bare_alaw_when_loaded_then_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.alaw"
    path.write_bytes(alaw_bytes(tone(440, 0.5)))
    assert np.allclose(load_alaw(path).samples, tone(440, 0.5).samples, atol=0.02)


def test_given_two_channels_when_loaded_then_they_are_mixed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as out:
        out.setparams((2, 2, RATE, 0, "NONE", ""))
        out.writeframes(struct.pack("<4h", 1000, 3000, -1000, -3000))
    assert (load_wav(path).samples * 32768).tolist() == [2000, -2000]


@pytest.mark.parametrize("data", [b"", b"no wav at all", wav_bytes(85, 8, b"mp3"), wav_bytes(1, 24, b"abc")])
def test_given_something_else_when_loaded_then_it_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.wav"):
        load_wav(path)


def test_given_a_tone_when_its_rate_is_changed_then_it_is_the_same_tone() -> None:
    assert np.allclose(tone(440, 1.0, 16000).at_rate(8000).samples, tone(440, 1.0).samples, atol=1e-6)


# Finding


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("attenuation", [1.0, 0.25, 0.03])
def test_given_a_delayed_attenuated_alaw_copy_when_sought_then_it_is_found(
    seed: int, attenuation: float
) -> None:
    prompt = speech(2.0, seed)
    copy = Audio(prompt.samples * attenuation, RATE)
    match = find(prompt, through_alaw(joined(silence(0.7375), copy, silence(0.5))))
    assert match.correlation > 0.9
    assert match.offset == pytest.approx(0.7375, abs=0.001)


@pytest.mark.parametrize("seed", range(5))
def test_given_other_material_when_sought_then_it_is_not_found(seed: int) -> None:
    assert find(speech(2.0, seed), through_alaw(speech(5.0, 100 + seed))).correlation < 0.3


def test_given_silence_when_sought_in_then_nothing_is_found() -> None:
    assert find(speech(2.0, 1), through_alaw(silence(4))).correlation < 0.1
    assert find(silence(1), speech(2.0, 1)).correlation == 0.0


def test_given_a_prompt_of_16_khz_when_sought_at_8_khz_then_it_is_found() -> None:
    prompt = speech(2.0, 3, rate=16000)
    assert find(prompt, joined(silence(0.2), through_alaw(prompt.at_rate(8000)))).correlation > 0.9


def test_given_a_recording_shorter_than_the_prompt_when_sought_then_the_fit_is_poor_but_told() -> None:
    prompt = speech(2.0, 3)
    match = find(prompt, prompt.part(0, 1.0))
    assert match.offset == 0.0
    assert 0.3 < match.correlation < 0.95


def test_given_lost_and_repeated_frames_when_asked_for_the_share_then_little_is_missing() -> None:
    prompt = speech(5.0, 4)
    lossy = joined(
        silence(0.4),
        prompt.part(0, 1.5),
        prompt.part(1.54, 3.5),
        silence(0.06),
        prompt.part(3.5, 4.2),
        prompt.part(4.1),
    )
    assert find(prompt, lossy).correlation < 0.9
    assert share_heard(prompt, through_alaw(lossy)) >= 0.8


@pytest.mark.parametrize("seed", range(5))
def test_given_other_material_when_asked_for_the_share_then_it_is_small(seed: int) -> None:
    assert share_heard(speech(4.0, seed), through_alaw(speech(5.0, 100 + seed))) <= 0.1
    assert share_heard(speech(4.0, seed), silence(5.0)) == 0.0


def test_given_pieces_in_another_order_when_asked_for_the_share_then_only_one_fits() -> None:
    prompt = speech(4.0, 5)
    parts = [prompt.part(start, start + 1) for start in range(4)]
    assert share_heard(prompt, joined(*parts)) == 1.0
    assert share_heard(prompt, joined(*reversed(parts))) <= 0.25


def test_given_half_of_a_prompt_when_asked_for_the_share_then_it_is_half() -> None:
    prompt = speech(4.0, 6)
    assert share_heard(prompt, prompt.part(0, 2.0)) == pytest.approx(0.5, abs=0.07)
    assert share_heard(prompt, prompt.part(2.0)) == pytest.approx(0.5, abs=0.07)
    assert share_heard(silence(1.0), prompt) == 0.0


def recorded(code: str, language: str) -> Audio:
    return joined(*(DIGITS[language][digit] for digit in code), silence(0.5))


def heard_digits(recording: Audio, language: str) -> str:
    return "".join(digit for digit, _ in sequence(DIGITS[language], recording))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", ["308615", "123456", "987654", "200207", "717171", "3", ""])
def test_given_recorded_digits_when_asked_which_then_they_are_told_in_their_order(
    code: str, language: str
) -> None:
    assert heard_digits(joined(silence(0.3), through_alaw(recorded(code, language))), language) == code


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "played",
    ["308616", "368615", "301615", "308651", "803615", "30861", "08615", "3086155", "3308615", "308"],
    ids=str,
)
def test_given_a_wrong_digit_order_or_number_when_asked_which_then_it_is_not_the_code(
    played: str, language: str
) -> None:
    found = heard_digits(through_alaw(recorded(played, language)), language)

    assert found == played
    assert found != "308615"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("lost", [0.3, 1.3, 2.9, 4.1])
def test_given_a_frame_that_was_lost_when_asked_which_digits_then_they_are_told(
    lost: float, language: str
) -> None:
    whole = recorded("308615", language)

    assert heard_digits(joined(whole.part(0, lost), whole.part(lost + 0.02)), language) == "308615"


def test_given_other_material_when_asked_which_digits_then_there_are_none() -> None:
    assert heard_digits(speech(5.0, 7), "zh") == ""
    assert heard_digits(silence(5.0), "en") == ""


# Tones and silence


def test_given_a_tone_in_noise_when_asked_for_its_share_then_only_its_own_frequency_has_it() -> None:
    noise = Audio(np.random.default_rng(1).normal(scale=0.02, size=RATE), RATE)
    heard = Audio(tone(440, 1.0).samples + noise.samples, RATE)
    assert tone_share(heard, 440) > 0.95
    assert tone_share(heard, 500) < 0.05
    assert tone_share(noise, 440) < 0.1
    assert tone_share(silence(1), 440) == 0.0
    assert tone_share(silence(0), 440) == 0.0


def test_given_a_cadence_when_asked_for_tone_stretches_then_they_are_those_of_the_cadence() -> None:
    beep, pause = tone(450, 0.5), silence(0.4)
    heard = through_alaw(joined(silence(0.3), beep, pause, beep, pause, tone(800, 0.5)))
    stretches = tone_stretches(heard, 450)
    assert [(round(item.start, 1), round(item.end, 1)) for item in stretches] == [(0.3, 0.8), (1.2, 1.7)]


def test_given_speech_with_pauses_when_segmented_then_sound_and_silence_take_turns() -> None:
    heard = through_alaw(joined(silence(0.5), tone(300, 0.8), silence(0.1), tone(400, 0.4), silence(1.0)))
    (sound,) = sound_stretches(heard)
    assert [sound.start, sound.end] == pytest.approx([0.5, 1.8], abs=0.02)
    gaps = [(round(item.start, 1), round(item.end, 1)) for item in silence_stretches(heard)]
    assert gaps == [(0.0, 0.5), (1.8, 2.8)]
    assert len(sound_stretches(heard, pause=0.05)) == 2
    assert sound_stretches(silence(1)) == []

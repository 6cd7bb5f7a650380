import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.prompts import wav
from controller.prompts.errors import SoundFileError, SoundNameError, SoundProblem

SOUND = bytes(range(200))


def form(tag: int = 6, channels: int = 1, rate: int = 8000, per_second: int = 8000, bits: int = 8) -> bytes:
    return struct.pack("<4sIHHIIHHH", b"fmt ", 18, tag, channels, rate, per_second, 1, bits, 0)


def file(*chunks: bytes) -> bytes:
    body = b"".join(chunks)
    return struct.pack("<4sI4s", b"RIFF", len(body) + 4, b"WAVE") + body


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def problem_of(data: bytes) -> tuple[SoundProblem, str]:
    with pytest.raises(SoundFileError) as caught:
        wav.check(data)
    return caught.value.problem, str(caught.value)


@pytest.mark.requirement("C5", "A1.5")
def test_given_alaw_bytes_when_written_then_the_header_has_58_bytes_and_reads_back() -> None:
    written = wav.write(SOUND)
    assert len(written) == 58 + len(SOUND)
    assert written[:4] == b"RIFF"
    assert struct.unpack_from("<I", written, 4) == (len(written) - 8,)
    assert written[12:20] == b"fmt " + struct.pack("<I", 18)
    assert struct.unpack_from("<HHIIHHH", written, 20) == (6, 1, 8000, 8000, 1, 8, 0)
    assert written[38:50] == b"fact" + struct.pack("<II", 4, len(SOUND))
    assert written[50:58] == b"data" + struct.pack("<I", len(SOUND))
    assert wav.read(written) == SOUND


@given(st.binary(min_size=1, max_size=300))
def test_given_any_sound_when_written_then_it_reads_back(sound: bytes) -> None:
    written = wav.write(sound)
    assert len(written) % 2 == 0
    assert wav.read(written) == sound


@given(st.binary(max_size=120))
def test_given_any_bytes_when_checked_then_only_a_sound_file_error_comes(data: bytes) -> None:
    for candidate in (data, b"RIFF\x00\x00\x00\x00WAVE" + data, wav.write(SOUND)[: len(data)] + data):
        try:
            wav.check(candidate)
        except SoundFileError:
            continue


def test_given_other_chunks_around_the_sound_when_read_then_they_are_skipped() -> None:
    data = file(chunk(b"JUNK", b"abc"), form(), chunk(b"LIST", b"INFO"), chunk(b"data", SOUND), b"tail")
    assert wav.read(data) == SOUND


def test_given_the_extensible_form_of_alaw_when_read_then_it_is_accepted() -> None:
    body = struct.pack("<HHIIHHHHIH14x", 0xFFFE, 1, 8000, 8000, 1, 8, 22, 8, 4, 6)
    assert wav.read(file(chunk(b"fmt ", body), chunk(b"data", SOUND))) == SOUND


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    ("data", "problem", "message"),
    [
        (b"", SoundProblem.NOT_A_WAV, "The file is not a WAV file (no RIFF/WAVE header)"),
        (b"ID3\x04" + bytes(100), SoundProblem.NOT_A_WAV, "The file is not a WAV file (no RIFF/WAVE header)"),
        (
            b"RIFF\x10\x00\x00\x00AVI " + bytes(50),
            SoundProblem.NOT_A_WAV,
            "The file is not a WAV file (no RIFF/WAVE header)",
        ),
        (b"RIFF\x10", SoundProblem.TRUNCATED_HEADER, "The WAV header is cut off"),
        (wav.write(SOUND)[:30], SoundProblem.TRUNCATED_HEADER, "The WAV header is cut off"),
        (wav.write(SOUND)[:57], SoundProblem.TRUNCATED_HEADER, "The WAV header is cut off"),
        (file(form()), SoundProblem.TRUNCATED_HEADER, "The WAV header is cut off"),
        (
            file(chunk(b"data", SOUND), form()),
            SoundProblem.TRUNCATED_HEADER,
            "The sound comes before the format",
        ),
        (
            wav.write(SOUND)[:-1],
            SoundProblem.TRUNCATED_DATA,
            "The header announces 200 bytes of sound, the file holds 199",
        ),
        (file(form(), chunk(b"data", b"")), SoundProblem.NO_SOUND, "The file holds no sound"),
        (
            file(form(rate=16000, per_second=16000), chunk(b"data", SOUND)),
            SoundProblem.WRONG_RATE,
            "The sampling rate is 16000 Hz, it must be 8000 Hz",
        ),
        (
            file(form(channels=2, per_second=16000), chunk(b"data", SOUND)),
            SoundProblem.WRONG_CHANNELS,
            "The file has 2 channels, it must have 1 (mono)",
        ),
        (
            file(form(tag=7), chunk(b"data", SOUND)),
            SoundProblem.WRONG_CODING,
            "The coding is mu-law, it must be A-law",
        ),
        (
            file(form(tag=1, per_second=16000, bits=16), chunk(b"data", SOUND)),
            SoundProblem.WRONG_CODING,
            "The coding is PCM, it must be A-law",
        ),
        (
            file(form(tag=0x160), chunk(b"data", SOUND)),
            SoundProblem.WRONG_CODING,
            "The coding is format tag 352, it must be A-law",
        ),
        (
            file(form(per_second=16000), chunk(b"data", SOUND)),
            SoundProblem.WRONG_BIT_RATE,
            "The header says 128000 bit/s and 8 bits per sample, it must say 64000 bit/s and 8 bits",
        ),
        (
            bytes(2 * 1024 * 1024 + 1),
            SoundProblem.TOO_LARGE,
            "The file has 2097153 bytes, it may have 2097152 bytes (2 MB)",
        ),
    ],
)
def test_given_a_file_that_breaks_a_rule_when_checked_then_the_message_says_which(
    data: bytes, problem: SoundProblem, message: str
) -> None:
    assert problem_of(data) == (problem, message)


def test_given_a_file_of_just_2_mb_when_written_then_one_byte_more_is_refused() -> None:
    largest = wav.MAX_BYTES - 44
    assert len(wav.write(bytes(wav.MAX_BYTES - wav.HEADER_BYTES))) == wav.MAX_BYTES
    assert len(wav.write(bytes(largest))) == wav.MAX_BYTES
    with pytest.raises(SoundFileError, match="it may have 2097152 bytes"):
        wav.write(bytes(largest + 1))


@pytest.mark.requirement("C5")
@pytest.mark.parametrize("sound_bytes", [wav.MAX_BYTES - extra for extra in range(44, 60)])
def test_given_the_largest_files_with_a_short_header_when_taken_then_they_are_written_again(
    sound_bytes: int,
) -> None:
    short = struct.pack("<4sIHHIIHH", b"fmt ", 16, 6, 1, 8000, 8000, 1, 8)
    sound = bytes([0xD5]) * sound_bytes
    taken = wav.read(file(short, struct.pack("<4sI", b"data", sound_bytes) + sound))

    written = wav.write(taken)

    assert len(written) <= wav.MAX_BYTES
    assert wav.read(written) == sound


def test_given_a_sound_of_one_second_when_checked_then_its_length_is_one_second() -> None:
    assert wav.check(wav.write(bytes(8000))).seconds == 1.0


@pytest.mark.requirement("C5")
@pytest.mark.parametrize("name", ["a.wav", "Hello_1@office-2.v2.wav", "1.wav"])
def test_given_a_good_name_when_checked_then_it_is_accepted(name: str) -> None:
    assert wav.check_name(name) == name


@pytest.mark.requirement("C5")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "must end in .wav"),
        (".wav", "must end in .wav"),
        ("hello.mp3", "must end in .wav"),
        ("hello.WAV", "must end in .wav"),
        ("a.wav\n", "must end in .wav"),
        ("../up.wav", "letters, digits"),
        ("two words.wav", "letters, digits"),
        ("你好.wav", "letters, digits"),
        ("x" * 125 + ".wav", "more than 128"),
    ],
)
def test_given_a_bad_name_when_checked_then_the_message_says_why(name: str, message: str) -> None:
    with pytest.raises(SoundNameError, match=message):
        wav.check_name(name)

"""Sound files in the one form that is accepted: WAV, A-law, 8000 Hz, 64 kbit/s, mono, at most 2 MB.

Source of the header: RFC 2361 (tag 6) and the Multimedia Programming Interface; a compressed form needs a
``fmt `` chunk of 18 bytes and a ``fact`` chunk, which makes 58 bytes in front of the first sample.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from controller.prompts.errors import SoundFileError, SoundNameError, SoundProblem

RATE: Final = 8000
CHANNELS: Final = 1
TAG_ALAW: Final = 6
BYTES_PER_SECOND: Final = 8000
MAX_BYTES: Final = 2 * 1024 * 1024
HEADER_BYTES: Final = 58
_SHORT_HEADER_BYTES: Final = 44
"""Of the shortest header that is accepted."""
MAX_NAME_CHARACTERS: Final = 128

_TAG_EXTENSIBLE: Final = 0xFFFE
_CODINGS: Final = {
    1: "PCM",
    2: "Microsoft ADPCM",
    3: "floating point",
    6: "A-law",
    7: "mu-law",
    0x11: "IMA ADPCM",
    0x31: "GSM 6.10",
    0x55: "MP3",
}
_UNKNOWN_LENGTH: Final = 0x7FFF_0000
"""Sizes from here on mean "until the end": programs that write into a pipe announce one of several."""
_NAME: Final = re.compile(r"[A-Za-z0-9._@-]+")


@dataclass(frozen=True, slots=True)
class WavForm:
    """What the ``fmt `` chunk of a WAV file says; rates in Hz and bytes per second."""

    tag: int
    channels: int
    rate: int
    bytes_per_second: int
    block_bytes: int
    bits: int

    @property
    def coding(self) -> str:
        """The coding in words."""
        return _CODINGS.get(self.tag, f"format tag {self.tag}")


@dataclass(frozen=True, slots=True)
class WavFile:
    """A WAV file taken apart: its form and the bytes of its ``data`` chunk."""

    form: WavForm
    data: bytes

    @property
    def seconds(self) -> float:
        """How long the file plays."""
        return len(self.data) / self.form.bytes_per_second if self.form.bytes_per_second else 0.0


def write(alaw: bytes) -> bytes:
    """A WAV file around A-law bytes: around those of every file that `check` takes.

    :raises SoundFileError: the file would be larger than 2 MB.
    """
    pad = len(alaw) % 2
    is_full = HEADER_BYTES + len(alaw) + pad > MAX_BYTES
    size = (_SHORT_HEADER_BYTES if is_full else HEADER_BYTES) + len(alaw) + pad
    if size > MAX_BYTES:
        raise _too_large(size)
    header = struct.pack("<4sI4s", b"RIFF", size - 8, b"WAVE")
    form = struct.pack("<HHIIHH", TAG_ALAW, CHANNELS, RATE, BYTES_PER_SECOND, 1, 8)
    # A file with the short header may have some more sound, and is written as it came.
    more = b"" if is_full else struct.pack("<H4sII", 0, b"fact", 4, len(alaw))
    form = struct.pack("<4sI", b"fmt ", 16 if is_full else 18) + form + more
    return header + form + struct.pack("<4sI", b"data", len(alaw)) + alaw + bytes(pad)


def read(file: bytes) -> bytes:
    """The A-law bytes of a file in the required form (what Asterisk calls an ``.alaw`` file).

    :raises SoundFileError: the file isn't in the required form; ``problem`` and the message say why.
    """
    return check(file).data


def check(file: bytes) -> WavFile:
    """Take a file apart that must be in the required form.

    :raises SoundFileError: the message names every rule of the form that the file breaks.
    """
    if len(file) > MAX_BYTES:
        raise _too_large(len(file))
    wav = parse(file)
    faults = list(_faults(wav.form))
    if faults:
        raise SoundFileError(faults[0][0], "; ".join(message for _, message in faults))
    if not wav.data:
        raise SoundFileError(SoundProblem.NO_SOUND, "The file holds no sound")
    return wav


def _faults(form: WavForm) -> Iterator[tuple[SoundProblem, str]]:
    """Every rule that a form breaks; what the header says of bits is of interest if all else is right."""
    fits = True
    if form.tag != TAG_ALAW:
        fits = False
        yield SoundProblem.WRONG_CODING, f"The coding is {form.coding}, it must be A-law"
    if form.channels != CHANNELS:
        fits = False
        yield SoundProblem.WRONG_CHANNELS, f"The file has {form.channels} channels, it must have 1 (mono)"
    if form.rate != RATE:
        fits = False
        yield SoundProblem.WRONG_RATE, f"The sampling rate is {form.rate} Hz, it must be {RATE} Hz"
    if fits and (form.bytes_per_second != BYTES_PER_SECOND or form.bits != 8 or form.block_bytes != 1):
        yield (
            SoundProblem.WRONG_BIT_RATE,
            f"The header says {form.bytes_per_second * 8} bit/s and {form.bits} bits per sample, "
            "it must say 64000 bit/s and 8 bits",
        )


def parse(file: bytes, *, streamed: bool = False) -> WavFile:
    """Take any WAV file apart, whatever its coding.

    :param streamed: the writer may not have known how long the sound would be, and have announced as much as
        a header can; then the sound ends with the file.
    :raises SoundFileError: it isn't a WAV file, or is cut off.
    """
    if len(file) < 12 and b"RIFF".startswith(file[:4]) and file:
        raise _truncated_header()
    if file[:4] != b"RIFF" or file[8:12] != b"WAVE":
        raise SoundFileError(SoundProblem.NOT_A_WAV, "The file is not a WAV file (no RIFF/WAVE header)")
    form: WavForm | None = None
    for name, start, size in _chunks(file):
        body = file[start : start + size]
        if name == b"fmt ":
            form = _form(body)
        elif name == b"data":
            if form is None:
                raise SoundFileError(SoundProblem.TRUNCATED_HEADER, "The sound comes before the format")
            if len(body) < size and not (streamed and size >= _UNKNOWN_LENGTH):
                raise SoundFileError(
                    SoundProblem.TRUNCATED_DATA,
                    f"The header announces {size} bytes of sound, the file holds {len(body)}",
                )
            return WavFile(form, body)
    raise _truncated_header()


def check_name(name: str) -> str:
    """Return ``name`` when it may name a sound file.

    :raises SoundNameError: it may not; the message says why.
    """
    if not name.endswith(".wav") or name == ".wav":
        raise SoundNameError("The file name must end in .wav")
    if len(name) > MAX_NAME_CHARACTERS:
        raise SoundNameError(f"The file name has more than {MAX_NAME_CHARACTERS} characters")
    if not _NAME.fullmatch(name):
        raise SoundNameError("The file name may only have letters, digits and the characters . _ @ -")
    return name


def _chunks(file: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and announced size of each chunk whose own header is complete."""
    start = 12
    while start + 8 <= len(file):
        name, size = struct.unpack_from("<4sI", file, start)
        yield name, start + 8, size
        start += 8 + size + size % 2


def _form(body: bytes) -> WavForm:
    if len(body) < 16:
        raise _truncated_header()
    tag, channels, rate, bytes_per_second, block_bytes, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _TAG_EXTENSIBLE and len(body) >= 26:
        (tag,) = struct.unpack_from("<H", body, 24)
    return WavForm(tag, channels, rate, bytes_per_second, block_bytes, bits)


def _truncated_header() -> SoundFileError:
    return SoundFileError(SoundProblem.TRUNCATED_HEADER, "The WAV header is cut off")


def _too_large(size: int) -> SoundFileError:
    return SoundFileError(
        SoundProblem.TOO_LARGE, f"The file has {size} bytes, it may have {MAX_BYTES} bytes (2 MB)"
    )

"""Which calls of a block have a word: made from the texts of the block, and intersected.

A word is some characters of a text, or a value as a whole; it is an integer, which perhaps stands for another
word as well, as all of six characters do. Its posting says at which places of the block it is: as bits where
it is at many, else as numbers.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int64]

_MOST_GRAMS = 6
"""Words that are looked up of one part: more would find little less, and each costs a look."""

_CODE_BITS = 32
_PLACE_BITS = 16

LARGEST = 1 << _PLACE_BITS
"""Calls of a block at most."""


class Field(IntEnum):
    """Of what a word is."""

    ACCOUNT = 0
    APP = 1
    SERVICE = 2
    RESULT = 3
    CALL_ID = 4
    CALLER = 5
    CALLEE = 6


_WITH_LONG = (Field.CALLER, Field.CALLEE)

_GRAMS = (3, 4)
"""How long words of a text are: numbers begin alike, and ids have dates, so that three characters tell them
apart too little."""

_LONG = 6
"""Characters of long words, of numbers alone. A part that repeats itself, as 613861386, has all of its short
words in a number such as +8613861386, and that in many others."""

_LONG_BITS = 12
"""Bits of their codes: few, as each posting costs some bytes however short it is. A long word has one in some
hundred calls at random with it, so that it is asked for with short ones, never alone."""

_LONG_MARK = 1 << 31
"""In no code of a short word."""

_MOST_LONG = 3

WORD_BITS = 35
"""Bits of a word: its field and its code."""


def value_word(field: Field, value: str) -> int:
    """The word of a value as a whole."""
    return field << _CODE_BITS | zlib.crc32(value.encode())


def part_words(field: Field, part: str) -> list[int]:
    """Words that a text has if it has this part of ASCII, of three characters or more."""
    letters = part.encode("ascii")
    length = max(length for length in _GRAMS if length <= len(letters))
    codes = [_code(gram) for gram in _evenly(letters, length, _MOST_GRAMS)]
    if field in _WITH_LONG and len(letters) >= _LONG:
        longs = [_code(gram) for gram in _evenly(letters, _LONG, _MOST_LONG)]
        codes += _long_codes(np.array(longs, np.int64)).tolist()
    return [field << _CODE_BITS | code for code in codes]


def _evenly(letters: bytes, length: int, most: int) -> Iterator[bytes]:
    """Some words of this length, with those at both ends."""
    last = len(letters) - length
    count = min(last + 1, most)
    begins = {round(number * last / max(count - 1, 1)) for number in range(count)}
    return (letters[begin : begin + length] for begin in sorted(begins))


def _code(letters: bytes) -> int:
    code = 0
    for letter in letters:
        code = code << 7 | letter
    return code


def _long_codes(codes: Places) -> Places:
    """Codes of long words from those of their characters."""
    # The upper bits of a product with Knuth's constant depend on all characters.
    mixed = codes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - _LONG_BITS)
    return mixed.astype(np.int64) | _LONG_MARK


def value_postings(field: Field, values: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """Words and postings of a field that is looked for as a whole."""
    words = {value: zlib.crc32(value.encode()) for value in set(values)}
    codes = np.fromiter((words[value] for value in values), np.int64, len(values))
    return _postings(field, codes, np.arange(len(values)), len(values))


def part_postings(field: Field, texts: Sequence[str]) -> Iterator[tuple[int, bytes]]:
    """Words and postings of a field that is looked for by parts."""
    # A byte of zero is in no text of ASCII: a word that has one crosses from one text into the next.
    encoded = [text.encode("ascii", "replace") + b"\0" for text in texts]
    places = np.repeat(np.arange(len(texts)), [len(text) for text in encoded])
    letters = np.frombuffer(b"".join(encoded), np.uint8).astype(np.int64)
    for length in (*_GRAMS, _LONG) if field in _WITH_LONG else _GRAMS:
        codes = np.zeros(max(len(letters) - length + 1, 0), np.int64)
        whole = np.ones(len(codes), np.bool_)
        for offset in range(length):
            each = letters[offset : offset + len(codes)]
            codes = codes << 7 | each
            whole &= each != 0
        codes = _long_codes(codes[whole]) if length == _LONG else codes[whole]
        yield from _postings(field, codes, places[: len(whole)][whole], len(texts))


def _postings(field: Field, codes: Places, places: Places, size: int) -> Iterator[tuple[int, bytes]]:
    found = np.sort(codes << _PLACE_BITS | places)
    # Not np.unique: it hashes, which takes ten times as long.
    found = found[np.diff(found, prepend=-1) != 0]
    if not len(found):
        return
    codes, at = found >> _PLACE_BITS, (found & (LARGEST - 1)).astype("<u2")
    first = np.flatnonzero(np.diff(codes, prepend=-1))
    numbers = at.tobytes()
    for code, begin, end in zip(
        codes[first].tolist(), first.tolist(), [*first[1:].tolist(), len(codes)], strict=True
    ):
        # The length tells which it is: numbers are kept only where they are shorter than bits.
        is_short = 2 * (end - begin) < _bytes_of_bits(size)
        yield (
            field << _CODE_BITS | code,
            numbers[2 * begin : 2 * end] if is_short else _bits(at[begin:end], size),
        )


def _bits(at: npt.NDArray[np.uint16], size: int) -> bytes:
    return np.packbits(_set_of(at, size), bitorder="little").tobytes()


def _bytes_of_bits(size: int) -> int:
    return (size + 7) // 8


@dataclass(frozen=True)
class Wanted:
    """Words that a call must have: all of `every`, and of each of `choices` all of one alternative."""

    every: frozenset[int]
    choices: tuple[tuple[frozenset[int], ...], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.every or self.choices)

    def words(self) -> frozenset[int]:
        """All that are asked about."""
        return self.every.union(*(alternative for choice in self.choices for alternative in choice))

    def places(self, kept: Mapping[int, bytes], size: int) -> Places:
        """Where such calls are in a block with these postings, in order, and perhaps others."""
        found = _having(self.every, kept, size)
        if found is None:
            return _NOWHERE
        for choice in self.choices:
            among = np.zeros(size, np.bool_)
            for alternative in choice:
                its = _having(alternative, kept, size)
                if its is not None:
                    among |= its
            found &= among
        # Only now, as it takes long where many are.
        return np.flatnonzero(found)


_NOWHERE: Places = np.empty(0, np.int64)

_Set = npt.NDArray[np.bool_]
"""For every place of a block whether a call is meant."""


def _having(words: frozenset[int], kept: Mapping[int, bytes], size: int) -> _Set | None:
    """Where all of these words are: everywhere, if there are none. None: nowhere."""
    length = _bytes_of_bits(size)
    bits: list[npt.NDArray[np.uint8]] = []
    numbers: list[npt.NDArray[Any]] = []
    for word in words:
        posting = kept.get(word)
        if posting is None:
            return None
        if len(posting) == length:
            bits.append(np.frombuffer(posting, np.uint8))
        else:
            numbers.append(np.frombuffer(posting, "<u2"))
    if not numbers:
        return _set_in_all(bits, size)
    shortest, *others = sorted(numbers, key=len)
    found = shortest.astype(np.int64)
    for other in others:
        found = found[_set_of(other, size)[found]]
    for each in bits:
        found = found[(each[found >> 3] >> (found & 7).astype(np.uint8)) & 1 != 0]
    return _set_of(found, size)


def _set_of(places: npt.NDArray[Any], size: int) -> _Set:
    given = np.zeros(size, np.bool_)
    given[places] = True
    return given


def _set_in_all(bits: list[npt.NDArray[np.uint8]], size: int) -> _Set:
    if not bits:
        return np.ones(size, np.bool_)
    both = bits[0]
    for each in bits[1:]:
        both = both & each
    return np.unpackbits(both, count=size, bitorder="little").view(np.bool_)

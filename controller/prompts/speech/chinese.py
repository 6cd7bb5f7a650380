"""Chinese front end: words (jieba), their pinyin (pypinyin), and Kokoro's phonetic symbols for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from controller.prompts.optional import load
from controller.prompts.speech.english import EnglishFrontEnd
from controller.prompts.speech.pinyin import syllable_to_ipa

_RUN: Final = re.compile(
    r"(?P<han>[\u3400-\u4dbf\u4e00-\u9fff\u3007]+)"
    r"|(?P<latin>[A-Za-z]+(?:['’ -][A-Za-z]+)*)"
    r"|(?P<mark>[，、。！？；：,.!?;:…—]+)"
)
_MARKS: Final = str.maketrans("，、。！？；：", ",,.!?;:")


class ChineseFrontEnd:
    """Reads Chinese text; Latin words in it go to the English front end.

    :param words: cuts a run of Chinese characters into words.
    :param pinyin: the syllables of a word, with tone numbers (5: neutral).
    """

    def __init__(
        self,
        words: Callable[[str], list[str]],
        pinyin: Callable[[str], list[str]],
        english: EnglishFrontEnd,
    ) -> None:
        self._words = words
        self._pinyin = pinyin
        self._english = english

    @classmethod
    def load(cls, english: EnglishFrontEnd, cache: Path | None = None) -> ChineseFrontEnd:
        """With jieba's dictionary and pypinyin's; takes about a second the first time.

        :param cache: a folder of our own for jieba's prepared dictionary.
        :raises MissingPackageError: the extra isn't installed.
        """
        jieba, pypinyin = load("jieba"), load("pypinyin")
        jieba.setLogLevel("WARNING")
        tokenizer = jieba.Tokenizer()
        # jieba unmarshals its cache; the default, a well-known name in the shared folder for temporary files,
        # could have been put there by anyone.
        with TemporaryDirectory(prefix="jieba-") as nowhere:
            tokenizer.tmp_dir = str(cache or nowhere)
            tokenizer.initialize()

        def pinyin(word: str) -> list[str]:
            style = pypinyin.Style.TONE3
            return list(pypinyin.lazy_pinyin(word, style=style, neutral_tone_with_five=True, errors="ignore"))

        return cls(tokenizer.lcut, pinyin, english)

    def phonemes(self, text: str) -> str:
        """Phonetic symbols of ``text``; a mark that nobody reads is left out."""
        spoken = ""
        for run in _RUN.finditer(text):
            if run.lastgroup == "mark":
                spoken = spoken.rstrip() + run[0].translate(_MARKS)[0] + " "
            elif run.lastgroup == "han":
                spoken += " ".join(self._word(word) for word in self._words(run[0])) + " "
            else:
                spoken += self._english.phonemes(run[0]) + " "
        return spoken.strip()

    def _word(self, word: str) -> str:
        return "".join(syllable_to_ipa(syllable) or "" for syllable in self._pinyin(word))

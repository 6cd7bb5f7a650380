"""English front end: words to the phonetic symbols that Kokoro was trained on.

The lexicon is the one the model was trained with (misaki's ``us_gold`` and ``us_silver``, Apache-2.0).
Regular endings are made from the stem; a word that nobody knows is spelled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from controller.prompts.errors import ModelError

Ending: TypeAlias = Callable[[str], str]
"""Adds a regular ending to the phonetic symbols of a stem."""

_TOKEN: Final = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*|[;:,.!?—…]")
_CAMEL: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_VOWELS: Final = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻ")
_VOICELESS: Final = frozenset("ptkfθ")
_SIBILANT: Final = frozenset("szʃʒʧʤ")
_MARKS: Final = frozenset(";:,.!?—…")
# How little words sound inside a sentence; the lexicon has them as they sound alone.
_WEAK: Final = {"a": "ɐ", "an": "ən", "the": "ðə", "to": "tə"}
_WEAK_BEFORE_VOWEL: Final = {"the": "ði", "to": "tʊ"}


class EnglishFrontEnd:
    """Reads English words with a lexicon from lower-case or exact spelling to phonetic symbols."""

    def __init__(self, lexicon: Mapping[str, str]) -> None:
        self._lexicon = lexicon

    @classmethod
    def load(cls, *files: Path) -> EnglishFrontEnd:
        """Read lexicon files (JSON); an earlier file wins.

        :raises ModelError: a file is missing or isn't a lexicon.
        """
        lexicon: dict[str, str] = {}
        for file in files:
            try:
                entries = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise ModelError(f"The lexicon {file.name} can't be read: {error}") from error
            for word, entry in entries.items():
                sound = entry.get("DEFAULT") if isinstance(entry, dict) else entry
                if isinstance(sound, str):
                    lexicon.setdefault(word, sound)
        return cls(lexicon)

    def phonemes(self, text: str) -> str:
        """Phonetic symbols of ``text``, with its punctuation; what is neither is left out."""
        tokens = _TOKEN.findall(text)
        spoken = ""
        following = ""
        for token in reversed(tokens):
            if token in _MARKS:
                spoken = token + (" " + spoken if spoken else "")
                following = ""
                continue
            sound = self._in_sentence(token, following)
            glue = "" if not spoken or spoken[0] in _MARKS else " "
            spoken = sound + glue + spoken
            following = sound
        return spoken

    def word(self, word: str) -> str:
        """Phonetic symbols of one word as it sounds alone."""
        word = word.replace("’", "'")
        if len(word) > 2 and word.endswith("'s") and word not in self._lexicon:
            return _plural(self.word(word[:-2]))
        return (
            self._known(word) or self._inflected(word.lower()) or self._compound(word) or self.spelled(word)
        )

    def spelled(self, word: str) -> str:
        """The letters of ``word``, one by one."""
        return " ".join(self._lexicon[letter] for letter in word.upper() if letter in self._lexicon)

    def _in_sentence(self, word: str, following: str) -> str:
        lower = word.lower()
        if lower not in _WEAK or (word.isupper() and len(word) > 1) or not following:
            return self.word(word)
        if following.lstrip("ˈˌ")[:1] in _VOWELS:
            return _WEAK_BEFORE_VOWEL.get(lower, _WEAK[lower])
        return _WEAK[lower]

    def _known(self, word: str) -> str | None:
        if len(word) > 1 and word.isupper():
            # Capitals are a name of its own ("US"), a known word that is shouted, or letters.
            usual = (word.lower(), word.capitalize()) if len(word) > 3 else ()
            return next((self._lexicon[known] for known in (word, *usual) if known in self._lexicon), None)
        if len(word) == 1 and word not in {"a", "A"}:
            return self._lexicon.get(word.upper())
        return (
            self._lexicon.get(word) or self._lexicon.get(word.lower()) or self._lexicon.get(word.capitalize())
        )

    def _inflected(self, word: str) -> str | None:
        if word.endswith("s") and not word.endswith("ss"):
            stems = [word[:-1], *([word[:-2]] if word.endswith("es") else [])]
            if word.endswith("ies"):
                stems.append(word[:-3] + "y")
            return self._first(stems, _plural)
        if word.endswith("ed"):
            stems = [word[:-1], word[:-2], word[:-3], *([word[:-3] + "y"] if word.endswith("ied") else [])]
            return self._first(stems, _past)
        if word.endswith("ing"):
            return self._first([word[:-3], word[:-3] + "e", word[:-4]], _progressive)
        return None

    def _compound(self, word: str) -> str | None:
        """A name like iPhone or WeChat, read part by part."""
        parts = _CAMEL.findall(word)
        return " ".join(self.word(part) for part in parts) if len(parts) > 1 else None

    def _first(self, stems: list[str], ending: Ending) -> str | None:
        return next((sound for stem in stems if (sound := self._with_ending(stem, ending))), None)

    def _with_ending(self, stem: str, ending: Ending) -> str | None:
        sound = self._known(stem) if len(stem) > 1 else None
        return ending(sound) if sound else None


def _plural(stem: str) -> str:
    if stem[-1] in _SIBILANT:
        return stem + "ᵻz"
    return stem + ("s" if stem[-1] in _VOICELESS else "z")


def _past(stem: str) -> str:
    if stem[-1] in "td":
        return _flapped(stem) + "ᵻd"
    return stem + ("t" if stem[-1] in _VOICELESS or stem[-1] in "sʃʧ" else "d")


def _progressive(stem: str) -> str:
    return _flapped(stem) + "ɪŋ"


def _flapped(stem: str) -> str:
    """American English turns a "t" between vowels into a flap."""
    return stem[:-1] + "ɾ" if stem[-1] == "t" and stem[-2:-1] in _VOWELS | {"ɹ"} else stem

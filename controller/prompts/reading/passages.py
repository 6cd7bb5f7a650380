"""From a text to passages, each in one language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from controller.prompts.reading import en, zh
from controller.prompts.reading.marks import BOUNDARY, HAN, narrow
from controller.prompts.reading.passage import Language, Passage

_SENTENCE: Final = re.compile(r".+?(?:[。！？!?；;\n]+|\.(?=\s|$)|$)", re.DOTALL)
_CLAUSE: Final = re.compile(r".+?(?:[，：、]|(?<!\d)[,:]|[,:](?!\d)|$)", re.DOTALL)
_HAN: Final = re.compile(f"[{HAN}]")
_WORD: Final = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*|\d[\d.:/-]*")
_LATIN_WORD: Final = re.compile(r"[A-Za-z]{2}")
_VALUES_TOUCH: Final = re.compile(rf"(?<=\d){BOUNDARY}+(?=\d)")
_SOUND: Final = re.compile(f"[{HAN}A-Za-z]")


def read_aloud(text: str, *, language: Language = Language.CHINESE) -> tuple[Passage, ...]:
    """Passages of a text in reading order, with every digit, date and sign in words.

    A clause with a Chinese character is Chinese; one without any that has at least two words, one of them
    Latin, is English. What is neither (a number, a name) belongs to the clause before it in the sentence, at
    the start to the one after it, alone to the sentence before it. A text that leaves it open is English when
    it has a Latin word, else it is ``language``.
    """
    passages = []
    for clauses, spoken_in in _sentences(narrow(text), language):
        sentence = _VALUES_TOUCH.sub("，" if spoken_in is Language.CHINESE else ", ", clauses)
        rules = zh.read if spoken_in is Language.CHINESE else en.read
        said = rules(sentence).strip()
        if _SOUND.search(said):
            passages.append(Passage(said, spoken_in))
    return tuple(passages)


def _sentences(text: str, default: Language) -> Iterator[tuple[str, Language]]:
    """Runs of clauses of one language; a run doesn't go beyond the end of a sentence."""
    sentences = [_CLAUSE.findall(sentence) for sentence in _SENTENCE.findall(text)]
    undecided = Language.ENGLISH if _LATIN_WORD.search(text) else default
    current = _first_known([clause for clauses in sentences for clause in clauses]) or undecided
    for clauses in sentences:
        current = _first_known(clauses) or current
        run = ""
        for clause in clauses:
            known = _language(clause) or current
            if run and known is not current:
                yield run, current
                run = ""
            run, current = run + clause, known
        yield run, current


def _first_known(clauses: list[str]) -> Language | None:
    return next((known for clause in clauses if (known := _language(clause))), None)


def _language(clause: str) -> Language | None:
    if _HAN.search(clause):
        return Language.CHINESE
    if len(_WORD.findall(clause)) > 1 and _LATIN_WORD.search(clause):
        return Language.ENGLISH
    return None

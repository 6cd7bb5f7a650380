"""From a pinyin syllable to the phonetic symbols that Kokoro was trained on.

The symbols follow the phonetics of misaki's Chinese front end (Apache-2.0), which the model was trained with:
tones are arrows after the nucleus, the "i" of zhi and of zi is one and the same high vowel.
"""

from __future__ import annotations

import re
from typing import Final

_INITIALS: Final = {
    "b": "p",
    "p": "pʰ",
    "m": "m",
    "f": "f",
    "d": "t",
    "t": "tʰ",
    "n": "n",
    "l": "l",
    "g": "k",
    "k": "kʰ",
    "h": "x",
    "j": "ʨ",
    "q": "ʨʰ",
    "x": "ɕ",
    "zh": "ꭧ",
    "ch": "ꭧʰ",
    "sh": "ʂ",
    "r": "ɻ",
    "z": "ʦ",
    "c": "ʦʰ",
    "s": "s",
    "": "",
}

# "0" marks the place of the tone.
_FINALS: Final = {
    "a": "a0",
    "ai": "ai0",
    "an": "a0n",
    "ang": "a0ŋ",
    "ao": "au0",
    "e": "ɤ0",
    "ei": "ei0",
    "en": "ə0n",
    "eng": "ə0ŋ",
    "i": "i0",
    "ia": "ja0",
    "ian": "jɛ0n",
    "iang": "ja0ŋ",
    "iao": "jau0",
    "ie": "je0",
    "in": "i0n",
    "ing": "i0ŋ",
    "iong": "jʊ0ŋ",
    "iou": "jou0",
    "ong": "ʊ0ŋ",
    "ou": "ou0",
    "u": "u0",
    "ua": "wa0",
    "uai": "wai0",
    "uan": "wa0n",
    "uang": "wa0ŋ",
    "uei": "wei0",
    "uen": "wə0n",
    "ueng": "wə0ŋ",
    "uo": "wo0",
    "v": "y0",
    "van": "ɥɛ0n",
    "ve": "ɥe0",
    "vn": "y0n",
    # Whole syllables of their own kind.
    "er": "ɚ0",
    "ê": "ɛ0",
    "yo": "jɔ0",
    "m": "m0",
    "n": "n0",
    "ng": "ŋ0",
    "hm": "hm0",
    "hng": "hŋ0",
}

_SHORT_FINALS: Final = {"iu": "iou", "ui": "uei", "un": "uen"}
_ZERO_INITIAL: Final = {
    "yi": "i",
    "yin": "in",
    "ying": "ing",
    "yu": "v",
    "yue": "ve",
    "yuan": "van",
    "yun": "vn",
    "you": "iou",
    "wu": "u",
    "wei": "uei",
    "wen": "uen",
}
_TONES: Final = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": "", "": ""}
_SYLLABLE: Final = re.compile(r"([a-zêü]+)([1-5]?)")
_INITIAL: Final = re.compile(r"zh|ch|sh|[bpmfdtnlgkhjqxrzcs]|")


def syllable_to_ipa(syllable: str) -> str | None:
    """Phonetic symbols of a syllable like ``zhuang4`` (5 or nothing: neutral tone); None when it is none."""
    found = _SYLLABLE.fullmatch(syllable)
    if found is None:
        return None
    letters, tone = found[1].replace("ü", "v"), found[2]
    if letters in {"er", "ê", "yo", "m", "n", "ng", "hm", "hng"}:
        return _FINALS[letters].replace("0", _TONES[tone])
    if letters == "o":
        return "ɔ" + _TONES[tone]
    initial, final = _split(letters)
    if final not in _FINALS:
        return None
    if final == "i" and initial in {"zh", "ch", "sh", "r", "z", "c", "s"}:
        return _INITIALS[initial] + "ɨ" + _TONES[tone]
    return _INITIALS[initial] + _FINALS[final].replace("0", _TONES[tone])


def _split(letters: str) -> tuple[str, str]:
    """Initial and full form of the final: ``jue`` is j + ve, ``yan`` is ian, ``dui`` is d + uei."""
    if letters in _ZERO_INITIAL:
        return "", _ZERO_INITIAL[letters]
    if letters[0] == "y":
        return "", "i" + letters[1:]
    if letters[0] == "w":
        return "", "u" + letters[1:]
    match = _INITIAL.match(letters)
    initial = match[0] if match else ""
    final = letters[len(initial) :]
    if initial in {"j", "q", "x"} and final.startswith("u"):
        return initial, "v" + final[1:]
    if final == "o" and initial:
        return initial, "uo"
    return initial, _SHORT_FINALS.get(final, final)

"""What operations find wrong, in other languages: their English sentences are message ids, with holes."""

import gettext
import re
from functools import cache
from typing import Final

_HOLE: Final = re.compile(r"%\((\w+)\)s")
_CHOICES: Final = re.compile(r"(, | or )")


def translated_fault(words: gettext.NullTranslations, detail: str) -> str:
    """The sentence in that language; as it is, where no message is like it."""
    exact = words.gettext(detail)
    if exact != detail:
        return exact
    for pattern, message in _patterns(words):
        found = pattern.fullmatch(detail)
        if found:
            holes = {name: _value(words, value) for name, value in found.groupdict().items()}
            return words.gettext(message) % holes
    return detail


def _value(words: gettext.NullTranslations, value: str) -> str:
    """What stands in a hole: as it is, unless it is one word of ours, or several to choose from."""
    parts = _CHOICES.split(value)
    said = [words.gettext(part) for part in parts]
    known = (part != word or part[:1] == "'" for part, word in zip(parts, said, strict=True))
    return "".join(said) if all(known) else value


@cache
def _patterns(words: gettext.NullTranslations) -> list[tuple[re.Pattern[str], str]]:
    catalog: dict[object, str] = getattr(words, "_catalog", {})
    holed = [message for message in catalog if isinstance(message, str) and _HOLE.search(message)]
    return [(_pattern(message), message) for message in sorted(holed, key=len, reverse=True)]


def _pattern(message: str) -> re.Pattern[str]:
    pieces = _HOLE.split(message)
    made = "".join(
        f"(?P<{piece}>.+?)" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)
    )
    return re.compile(made, re.DOTALL)

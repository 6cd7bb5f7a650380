"""Voice templates: text with variables, checked on entry, filled for each call.

Variables (product requirement C6, wire API section 4.4): ``${TXT_n}`` text of at most n characters,
``${NUM_n}`` at most n digits, ``${DATE}`` as YYYY/MM/DD, ``${TIME}`` as HH:MM or HH:MM:SS.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from controller.prompts.errors import TemplateSyntaxError, TemplateValueCountError, TemplateValueError
from controller.prompts.reading import BOUNDARY, Passage, read_aloud
from controller.prompts.reading.marks import HAN

MAX_TEMPLATE_BYTES: Final = 900
MAX_VALUE_BYTES: Final = 32

_SAMPLE_TEXT: Final = "示例内容"
_SAMPLE_DIGITS: Final = "1234567890"

_VARIABLE: Final = re.compile(r"\$\{([^{}]*)\}")
_SIZED: Final = re.compile(r"(TXT|NUM)_([0-9]{1,4})")
_STARTS_CHINESE: Final = re.compile(f"[{HAN}]")
_SOMETHING_TO_SAY: Final = re.compile(f"[{HAN}A-Za-z0-9]")
_DATE: Final = re.compile(r"[0-9]{4}/[0-9]{2}/[0-9]{2}")
_TIME: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?")


class VariableKind(StrEnum):
    """What a variable stands for, as the template writes it."""

    TEXT = "TXT"
    DIGITS = "NUM"
    DATE = "DATE"
    TIME = "TIME"


@dataclass(frozen=True, slots=True)
class Variable:
    """A place for a value; ``most`` is the number of characters or digits it may have (TXT and NUM)."""

    kind: VariableKind
    most: int = 0

    def __str__(self) -> str:
        return f"${{{self.kind}_{self.most}}}" if self.most else f"${{{self.kind}}}"

    @property
    def sample(self) -> str:
        """A value that fits, to hear the template with."""
        match self.kind:
            case VariableKind.TEXT:
                return _SAMPLE_TEXT[: self.most]
            case VariableKind.DIGITS:
                return (_SAMPLE_DIGITS * MAX_VALUE_BYTES)[: self.most]
            case VariableKind.DATE:
                return "2026/12/31"
            case VariableKind.TIME:
                return "09:30"

    def complaint(self, value: str) -> str | None:
        """Why ``value`` doesn't fit, as a phrase that goes on "value 1 ..."; None when it fits."""
        if not _is_encodable(value):
            return "is not valid Unicode"
        if len(value.encode()) > MAX_VALUE_BYTES:
            return f"has more than {MAX_VALUE_BYTES} bytes"
        match self.kind:
            case VariableKind.TEXT:
                return self._text_complaint(value)
            case VariableKind.DIGITS:
                fits = re.fullmatch(rf"[0-9]{{1,{self.most}}}", value)
                return None if fits else f"must be 1 to {self.most} digits"
            case VariableKind.DATE:
                return None if _is_date(value) else "must be a date, YYYY/MM/DD"
            case VariableKind.TIME:
                return None if _TIME.fullmatch(value) else "must be a time, HH:MM or HH:MM:SS"

    def _text_complaint(self, value: str) -> str | None:
        if len(value) > self.most:
            return f"has more than {self.most} characters"
        if any(unicodedata.category(character) in {"Cc", "Cf"} for character in value):
            return "has a control character"
        return None


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: fixed texts and variables in reading order."""

    parts: tuple[str | Variable, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables, in the order of their values."""
        return tuple(part for part in self.parts if isinstance(part, Variable))

    def check(self, values: Sequence[str]) -> None:
        """Check that the values fit the variables.

        :raises TemplateValueCountError: there are more or fewer values than variables.
        :raises TemplateValueError: a value doesn't fit; the first one that doesn't is named.
        """
        variables = self.variables
        if len(values) != len(variables):
            raise TemplateValueCountError(len(variables), len(values))
        for position, (variable, value) in enumerate(zip(variables, values, strict=True), 1):
            if reason := variable.complaint(value):
                raise TemplateValueError(position, str(variable), reason)

    def samples(self) -> list[str]:
        """Values that fit, to hear the template with."""
        return [variable.sample for variable in self.variables]

    def fill(self, values: Sequence[str]) -> str:
        """The text with the values in place, for people to see.

        :raises TemplateValueCountError: see :meth:`check`.
        :raises TemplateValueError: see :meth:`check`.
        """
        return self._filled(values, "")

    def read(self, values: Sequence[str]) -> tuple[Passage, ...]:
        """Passages to say, with the values in place; no number or date goes beyond the value it is in.

        :raises TemplateValueCountError: see :meth:`check`.
        :raises TemplateValueError: see :meth:`check`.
        """
        return read_aloud(self._filled(values, BOUNDARY))

    def _filled(self, values: Sequence[str], edge: str) -> str:
        self.check(values)
        rest = iter(values)
        return "".join(part if isinstance(part, str) else edge + next(rest) + edge for part in self.parts)


def parse(text: str, *, starts_chinese: bool = False) -> Template:
    """Take a template apart.

    :param starts_chinese: also ask for a Chinese character at the start (a rule of the cloud's console).
    :raises TemplateSyntaxError: the text breaks a rule; the message says which.
    """
    _check_text(text, starts_chinese)
    pieces = _VARIABLE.split(text)
    parts: list[str | Variable] = []
    for index, piece in enumerate(pieces):
        if index % 2:
            parts.append(_variable(piece))
        elif "${" in piece:
            raise TemplateSyntaxError("A variable that begins with ${ has no }")
        elif piece:
            parts.append(piece)
    _check_neighbours(parts)
    return Template(tuple(parts))


def text_complaint(text: str) -> str | None:
    """Why a text can't be spoken, as a phrase that goes on "the text ..."; None when it can."""
    if not _is_encodable(text):
        return "is not valid Unicode"
    size = len(text.encode())
    if size > MAX_TEMPLATE_BYTES:
        return f"has {size} bytes, it may have {MAX_TEMPLATE_BYTES}"
    if not _SOMETHING_TO_SAY.search(text):
        return "has nothing to say"
    if any(
        unicodedata.category(character) in {"Cc", "Cf"} and character not in "\r\n\t" for character in text
    ):
        return "has a control character"
    return None


def _check_text(text: str, starts_chinese: bool) -> None:
    if complaint := text_complaint(text):
        raise TemplateSyntaxError(f"The template {complaint}")
    if starts_chinese and not _STARTS_CHINESE.match(text):
        raise TemplateSyntaxError("The template must start with a Chinese character")


def _variable(name: str) -> Variable:
    if name in {VariableKind.DATE, VariableKind.TIME}:
        return Variable(VariableKind(name))
    sized = _SIZED.fullmatch(name)
    if sized is None:
        raise TemplateSyntaxError(
            f"The variable ${{{name}}} is unknown; there are ${{TXT_n}}, ${{NUM_n}}, ${{DATE}} and ${{TIME}}"
        )
    most = int(sized[2])
    if not 1 <= most <= MAX_VALUE_BYTES or sized[2].startswith("0"):
        raise TemplateSyntaxError(f"The length in ${{{name}}} must be from 1 to {MAX_VALUE_BYTES}")
    return Variable(VariableKind(sized[1]), most)


def _check_neighbours(parts: Sequence[str | Variable]) -> None:
    solid = [part for part in parts if isinstance(part, Variable) or part.strip()]
    for left, right in itertools.pairwise(solid):
        if isinstance(left, Variable) and isinstance(right, Variable):
            kinds = {left.kind, right.kind}
            if kinds == {VariableKind.DATE, VariableKind.TIME}:
                raise TemplateSyntaxError(
                    "${DATE} and ${TIME} next to each other must have a comma between them"
                )


def _is_date(value: str) -> bool:
    if not _DATE.fullmatch(value):
        return False
    try:
        dt.date(*(int(part) for part in value.split("/")))
    except ValueError:
        return False
    return True


def _is_encodable(text: str) -> bool:
    """JSON can carry half a surrogate pair, UTF-8 can't."""
    return not any("\ud800" <= character <= "\udfff" for character in text)

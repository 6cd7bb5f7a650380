"""What can go wrong in this room.

::

    PromptError
    +-- SoundFileError          a sound file isn't in the form a phone needs (``problem`` says which rule)
    +-- SoundNameError          a sound file's name has a character that isn't allowed
    +-- ConversionBusyError     too many uploaded files are waiting to be looked at
    +-- TemplateError
    |   +-- TemplateSyntaxError     the template text breaks a rule
    |   +-- TemplateValueCountError the number of values isn't the number of variables
    |   +-- TemplateValueError      one value has the wrong type or length
    +-- SpeechError             a text could not be turned into sound
    |   +-- SpeechEngineError       the engine failed, or answered with something that isn't sound
    |   +-- UnreadableTextError     nothing in the text can be read aloud
    |   +-- SpeechBusyError         too many syntheses are waiting
    +-- ModelError              a part of the speech model is missing or isn't the pinned one
    +-- MissingPackageError     an optional package that this job needs isn't installed
"""

from __future__ import annotations

from enum import StrEnum


class PromptError(Exception):
    """Root of every error of this room."""


class SoundProblem(StrEnum):
    """Which rule of the required sound form a file breaks; stable, fit for a machine-readable answer."""

    NOT_A_WAV = "not_a_wav"
    TRUNCATED_HEADER = "truncated_header"
    TRUNCATED_DATA = "truncated_data"
    NO_SOUND = "no_sound"
    WRONG_RATE = "wrong_rate"
    WRONG_CHANNELS = "wrong_channels"
    WRONG_CODING = "wrong_coding"
    WRONG_BIT_RATE = "wrong_bit_rate"
    TOO_LARGE = "too_large"
    CANNOT_CONVERT = "cannot_convert"


class SoundFileError(PromptError):
    """A sound file breaks a rule. The message is fit for the person who uploaded the file."""

    def __init__(self, problem: SoundProblem, message: str) -> None:
        super().__init__(message)
        self.problem = problem


class SoundNameError(PromptError):
    """A sound file's name is empty, too long, has a forbidden character or doesn't end in ``.wav``."""


class ConversionBusyError(PromptError):
    """As many uploaded files are waiting as the operator allows."""


class TemplateError(PromptError):
    """Root of what can be wrong with a voice template or its values."""


class TemplateSyntaxError(TemplateError):
    """The template text breaks a rule."""


class TemplateValueCountError(TemplateError):
    """The number of values isn't the number of variables."""

    def __init__(self, expected: int, given: int) -> None:
        super().__init__(f"The template has {expected} variable(s), {given} value(s) were given")
        self.expected = expected
        self.given = given


class TemplateValueError(TemplateError):
    """One value doesn't fit its variable.

    ``position`` counts from 1, ``variable`` is the variable as the template writes it, ``reason`` is a short
    English phrase. The value itself is never part of the message: it may be personal data.
    """

    def __init__(self, position: int, variable: str, reason: str) -> None:
        super().__init__(f"Value {position} for {variable} {reason}")
        self.position = position
        self.variable = variable
        self.reason = reason


class SpeechError(PromptError):
    """Root of what can go wrong between a text and its sound."""


class SpeechEngineError(SpeechError):
    """The engine failed, timed out, or gave something that isn't sound."""


class UnreadableTextError(SpeechError):
    """The text holds nothing that can be read aloud."""


class SpeechBusyError(SpeechError):
    """As many syntheses are waiting as the operator allows."""


class ModelError(PromptError):
    """A part of the speech model is missing, or its SHA-256 isn't the pinned one."""


class MissingPackageError(PromptError):
    """An optional package is needed and isn't installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"The Python package {package!r} is not installed; install the extra {extra!r}")
        self.package = package
        self.extra = extra

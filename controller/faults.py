"""What pydantic finds wrong, in plain words; the caller names the place."""

from collections.abc import Mapping
from typing import Any

SOUND_NAME = r"^[A-Za-z0-9._@-]+$"
KEYS = r"^[0-9*#]+$"
IDENTIFIER = r"^[A-Za-z0-9_-]{1,32}$"
E164 = r"^\+[1-9][0-9]{2,29}$"
NUMBER_START = r"^\+[0-9]{0,30}$"
PHONE = r"^[0-9+() -]{0,32}$"
"""A number as people write it."""
LOGIN = r"^[A-Za-z0-9._@+-]{1,64}$"
SOMETHING = r"\S"
MONTH = r"^[0-9]{4}-[0-9]{2}$"
TRUNK_NAME = r"^[a-z0-9][a-z0-9-]{0,30}$"
EMAIL = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253}[A-Za-z0-9])?$"

_PATTERNS = {
    SOUND_NAME: "must have only letters, digits and . _ @ -",
    KEYS: "must have only digits, * and #",
    IDENTIFIER: "must be 1 to 32 letters, digits, _ and -",
    E164: "must be + and 3 to 30 digits, such as +8657126880001",
    NUMBER_START: "must be the start of a number, such as +86",
    PHONE: "must have only digits, spaces and + - ( ), and at most 32 of them",
    LOGIN: "must be 1 to 64 letters, digits and . _ @ + -",
    SOMETHING: "must say something",
    MONTH: "must be a month such as 2026-11",
    TRUNK_NAME: "must be 1 to 31 lower-case letters, digits and -",
    EMAIL: "must be a mail address such as li.wei@example.com",
}
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "string_type": "must be a string",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} {counted}",
    "too_long": "must have at most {max_length} {counted}",
    "int_type": "must be an integer",
    "int_parsing": "must be an integer",
    "int_from_float": "must be an integer",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "datetime_type": "must be a date and a time",
    "datetime_parsing": "must be a date and a time",
    "datetime_from_date_parsing": "must be a date and a time",
    "date_parsing": "must be a day such as 2026-11-30",
    "date_from_datetime_parsing": "must be a day such as 2026-11-30",
    "timezone_aware": "must have a time zone, such as the Z of 2030-01-01T00:00:00Z",
    "path_type": "must be a path",
    "model_type": "must be {thing}",
    "model_attributes_type": "must be {thing}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
}


def in_words(fault: Mapping[str, Any], thing: str = "an object") -> str:
    """One of `ValidationError.errors()` as a phrase that goes on "the parameter ...".

    `thing` is what an object is called where it was read.
    """
    context = dict(fault.get("ctx", {}))
    if context.get("pattern") in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    # A secret is counted like a list, but it is a text.
    counted = "item(s)" if context.get("field_type") == "List" else "characters"
    words = _WORDS.get(fault["type"])
    if words is None:
        return str(fault["msg"]).removeprefix("Value error, ")
    return words.format(**context, counted=counted, thing=thing)

"""Texts in CSV files, which people open with spreadsheets."""

import re

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"\+[0-9]+", re.ASCII)


def cell(text: str) -> str:
    """Text that a spreadsheet takes for text: a formula gets a ' before it, a phone number stays as it is."""
    is_formula = text.startswith(_FORMULA) and not _NUMBER.fullmatch(text)
    return f"'{text}" if is_formula else text

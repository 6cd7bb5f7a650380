"""How English is read: runs of digits one by one, standard dates and times as such, decimals as decimals."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from controller.prompts.reading import marks

_WORDS: Final = """
zero one two three four five six seven eight nine
ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen
- - twenty thirty forty fifty sixty seventy eighty ninety
January February March April May June July August September October November December
"""
_UNITS: Final = _WORDS.split()[:20]
_TENS: Final = _WORDS.split()[20:30]
_MONTHS: Final = _WORDS.split()[30:]
_POWERS: Final = ("", " thousand", " million", " billion", " trillion")
_LONGEST_QUANTITY: Final = 15
_ORDINALS: Final = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_ORDINAL: Final = re.compile(r"(?<![\w.])([1-9]\d?)(?:st|nd|rd|th)\b")
_TOUCH: Final = re.compile(r"(?<=[A-Za-z])(?<!\dT)(?=\d)|(?<=\d)(?!T\d)(?=[A-Za-z])")
"""Where a digit and a letter meet, but for the T of a date and its time."""

_SIGNS: Final = (
    (re.compile(r"℃|°C"), " degrees Celsius"),
    (re.compile(r"°"), " degrees"),
    (re.compile(r"#"), " hash "),
    (re.compile(r"\*"), " star "),
    (re.compile(r"\+"), " plus "),
    (re.compile(r"="), " equals "),
    (re.compile(r"&"), " and "),
    (re.compile(r"@"), " at "),
    (re.compile(r"_"), " underscore "),
)


def read(text: str) -> str:
    """English text with its digits, dates, times and signs in words.

    "1234" is one two three four, "2017/12/31 23:59:59" is December thirty-first, twenty seventeen,
    twenty-three fifty-nine and fifty-nine seconds; "12.5" is twelve point five.
    """
    text = _ORDINAL.sub(lambda found: ordinal(int(found[1])), marks.narrow(text))
    said = marks.say_forms(_TOUCH.sub(" ", text), VOICE)
    for pattern, words in _SIGNS:
        said = pattern.sub(words, said)
    return re.sub(r" {2,}", " ", said)


def digits(run: str) -> str:
    """Digits one by one, with a pause between groups."""
    return ", ".join(" ".join(_UNITS[int(digit)] for digit in group) for group in marks.digit_groups(run))


def quantity(number: int) -> str:
    """A number from 0 to 999,999,999,999,999 as a quantity."""
    if number == 0:
        return _UNITS[0]
    parts: list[str] = []
    for power in range(len(_POWERS) - 1, -1, -1):
        group = number // 1000**power % 1000
        if group:
            parts.append(_below_thousand(group) + _POWERS[power])
    return " ".join(parts)


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    said = [f"{_UNITS[hundreds]} hundred"] if hundreds else []
    if rest:
        said.append(_below_hundred(rest))
    return " ".join(said)


def _below_hundred(number: int) -> str:
    if number < 20:
        return _UNITS[number]
    tens, units = divmod(number, 10)
    return _TENS[tens] + (f"-{_UNITS[units]}" if units else "")


def ordinal(number: int) -> str:
    """A number from 1 to 99 as an ordinal: 31 is thirty-first."""
    head, dash, last = _below_hundred(number).rpartition("-")
    if last in _ORDINALS:
        return head + dash + _ORDINALS[last]
    return head + dash + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def _date(date: dt.date) -> str:
    return f"{_MONTHS[date.month - 1]} {ordinal(date.day)}, {_year(date.year)}"


def _year(year: int) -> str:
    century, rest = divmod(year, 100)
    if year % 1000 < 10 or century < 10:
        return quantity(year)
    return f"{_below_hundred(century)} " + (
        "hundred" if rest == 0 else f"oh {_UNITS[rest]}" if rest < 10 else _below_hundred(rest)
    )


def _time(hour: int, minute: int, second: int | None) -> str:
    said = _UNITS[0] if hour == 0 else _below_hundred(hour)
    if minute == 0:
        said += " o'clock" if hour and second is None else " hundred hours"
    else:
        said += f" oh {_UNITS[minute]}" if minute < 10 else f" {_below_hundred(minute)}"
    if second is None:
        return said
    return f"{said} and {quantity(second)} second" + ("" if second == 1 else "s")


def _decimal(whole: str, decimals: str) -> str:
    return f"{_whole(whole)} point " + " ".join(_UNITS[int(digit)] for digit in decimals)


def _whole(whole: str) -> str:
    plain = len(whole) <= _LONGEST_QUANTITY and (whole == "0" or not whole.startswith("0"))
    return quantity(int(whole)) if plain else " ".join(_UNITS[int(digit)] for digit in whole)


def _percent(whole: str, decimals: str | None) -> str:
    return (_whole(whole) if decimals is None else _decimal(whole, decimals)) + " percent"


VOICE: Final = marks.Voice(
    digits=digits,
    date=_date,
    time=_time,
    decimal=_decimal,
    minus=lambda said: "minus " + said,
    percent=_percent,
    yuan=" yuan",
    dollars=" dollars",
    point=" point ",
    pause=", ",
)

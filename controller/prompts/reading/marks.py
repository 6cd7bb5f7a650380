"""What both languages see the same way: the forms of dates, times and numbers, and groups of digits."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

BOUNDARY: Final = "\u2060"
"""An invisible mark around a template value: no number, date or word goes across it."""

HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff\u3007"
"""Chinese characters, for use inside the brackets of a regular expression."""

DATE: Final = (
    r"(?<![\d/.])(?P<year>\d{4})(?P<dash>[/-])(?P<month>\d{1,2})(?P=dash)(?P<day>\d{1,2})(?!\d|(?P=dash)\d)"
)
TIME: Final = r"(?<![\d:])(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?!\d|:\d)"
_MEASURED: Final = r"\d[\d,]*(?:\.\d|[\s\u2060]*(?:[%℃°元度]|美元))"
_MINUS: Final = (
    # Behind a Chinese character it may be a dash, but not before what can be less than nothing.
    rf"(?:(?<![\w.)-])[-\u2212]|(?<=[{HAN}])(?:\u2212|-(?=[¥￥$]?{_MEASURED})))"
)
_CURRENCY: Final = r"(?P<currency>[¥￥]|(?<![A-Za-z])(?:\$|CNY|RMB|USD))[ \u2060]*"
NUMBER: Final = (
    rf"(?P<minus>{_MINUS})?(?:{_CURRENCY}(?P<owed>[-\u2212])?)?(?<!\d)(?<!\d\.)"
    r"(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?:\.(?P<decimals>\d+))?(?!\d|\.\d)"
    r"(?(currency)(?:[ \u2060]*元)?|(?:[\s\u2060]?(?P<percent>%))?)"
)
DOTTED: Final = r"(?<!\d)(?P<dotted>\d+(?:\.\d+){2,})"

_FORMS: Final = re.compile(f"(?:{DATE}|{TIME}|{DOTTED}|{NUMBER})(?P<link>[-/](?=\\d))?")
_WORDS_TOUCH: Final = re.compile(rf"(?<=[A-Za-z]){BOUNDARY}+(?=[A-Za-z])")
_GAP: Final = re.compile(r"(?<=\d)(?:\s+|T)(?=\d)")
_FULL_WIDTH: Final = {code: code - 0xFEE0 for code in (*range(0xFF10, 0xFF1A), *range(0xFF21, 0xFF3B))} | {
    code: code - 0xFEE0 for code in (*range(0xFF41, 0xFF5B), *map(ord, "％＃＊＋＄－"))
}
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d)[：／．](?=\d)")
_NARROW: Final = {"：": ":", "／": "/", "．": "."}


@dataclass(frozen=True, slots=True)
class Voice:
    """How one language says each form."""

    digits: Callable[[str], str]
    date: Callable[[dt.date], str]
    time: Callable[[int, int, int | None], str]
    decimal: Callable[[str, str], str]
    minus: Callable[[str], str]
    percent: Callable[[str, str | None], str]
    yuan: str
    dollars: str
    point: str
    pause: str


def narrow(text: str) -> str:
    """``text`` with full-width digits, letters and signs in their usual form."""
    text = text.translate(_FULL_WIDTH)
    return _BETWEEN_DIGITS.sub(lambda found: _NARROW[found[0]], text)


def say_forms(text: str, voice: Voice) -> str:
    """``text`` with every date, time and number in words."""
    said = _FORMS.sub(lambda found: _linked(found, voice), _GAP.sub(voice.pause, text))
    return _WORDS_TOUCH.sub(" ", said).replace(BOUNDARY, "")


def _linked(found: re.Match[str], voice: Voice) -> str:
    return _say(found, voice) + (voice.pause if found["link"] else "")


def _say(found: re.Match[str], voice: Voice) -> str:
    if found["year"]:
        return _say_date(found, voice)
    if found["hour"]:
        return _say_time(found, voice)
    if found["dotted"]:
        return voice.point.join(voice.digits(run) for run in found["dotted"].split("."))
    whole, decimals = found["whole"].replace(",", ""), found["decimals"]
    if found["percent"]:
        said = voice.percent(whole, decimals)
    elif decimals is None:
        # "1,234" may be two numbers as well as one: either way its digits are said one by one.
        said = voice.pause.join(voice.digits(run) for run in found["whole"].split(","))
    else:
        said = voice.decimal(whole, decimals)
    if found["currency"]:
        said += voice.dollars if found["currency"] in ("$", "USD") else voice.yuan
    return voice.minus(said) if found["minus"] or found["owed"] else said


def _say_date(found: re.Match[str], voice: Voice) -> str:
    parts = found["year"], found["month"], found["day"]
    try:
        date = dt.date(*(int(part) for part in parts))
    except ValueError:
        return voice.pause.join(voice.digits(part) for part in parts)
    return voice.date(date)


def _say_time(found: re.Match[str], voice: Voice) -> str:
    parts = [part for part in (found["hour"], found["minute"], found["second"]) if part is not None]
    hour, minute, *seconds = (int(part) for part in parts)
    if hour > 23 or minute > 59 or any(second > 59 for second in seconds):
        return voice.pause.join(voice.digits(part) for part in parts)
    return voice.time(hour, minute, seconds[0] if seconds else None)


def digit_groups(digits: str) -> list[str]:
    """Groups that are easy to write down: up to four digits together, a mobile number 3-4-4, else threes."""
    if len(digits) <= 4:
        return [digits]
    if len(digits) == 11:
        return [digits[:3], digits[3:7], digits[7:]]
    groups = [digits[start : start + 3] for start in range(0, len(digits), 3)]
    if len(groups[-1]) == 1:
        groups[-2:] = ["".join(groups[-2:])]
    return groups

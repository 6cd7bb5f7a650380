"""How Chinese is read: runs of digits one by one, standard dates and times as such, decimals as decimals."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

from controller.prompts.reading import marks

_DIGITS: Final = "零一二三四五六七八九"
_SMALL_UNITS: Final = ("", "十", "百", "千")
_BIG_UNITS: Final = ("", "万", "亿", "万亿")
_LONGEST_QUANTITY: Final = 16

_SIGNS: Final = (
    (re.compile(r"℃|°C"), "摄氏度"),
    (re.compile(r"°"), "度"),
    (re.compile(r"(?<=[零一二三四五六七八九十整分日元度])\s*[~～]\s*(?=[零一二三四五六七八九十百负])"), "到"),
    (re.compile(r"#号?"), "井号"),
    (re.compile(r"\*号?"), "星号"),
    (re.compile(r"\+"), "加"),
    (re.compile(r"="), "等于"),
    (re.compile(r"&"), "和"),
    (re.compile(r"@"), " at "),
    (re.compile(r"_"), "下划线"),
)


def read(text: str) -> str:
    """Chinese text with its digits, dates, times and signs in words.

    "1234" is 一二三四, "2017/12/31 23:59:59" is 二零一七年十二月三十一日，二十三点五十九分五十九秒, "12.5" is
    十二点五. Long runs of digits get pauses between groups. A percentage is a quantity: "50%" is 百分之五十.
    """
    said = marks.say_forms(marks.narrow(text), VOICE)
    for pattern, words in _SIGNS:
        said = pattern.sub(words, said)
    return said


def digits(run: str) -> str:
    """Digits one by one, with a pause between groups; 1 is always yi."""
    return "，".join("".join(_DIGITS[int(digit)] for digit in group) for group in marks.digit_groups(run))


def quantity(number: int) -> str:
    """A number from 0 to 9,999,999,999,999,999 as a quantity: 10 is 十, 1005 is 一千零五."""
    if number == 0:
        return _DIGITS[0]
    groups: list[int] = []
    while number:
        number, group = divmod(number, 10000)
        groups.append(group)
    said = ""
    for power in range(len(groups) - 1, -1, -1):
        group = groups[power]
        if group == 0:
            continue
        gap = said and (group < 1000 or groups[power + 1] == 0)
        said += ("零" if gap else "") + _below_ten_thousand(group) + _BIG_UNITS[power]
    return said.removeprefix("一") if said.startswith("一十") else said


def _below_ten_thousand(number: int) -> str:
    said, gap = "", False
    for power in (3, 2, 1, 0):
        digit = number // 10**power % 10
        if digit == 0:
            gap = bool(said)
            continue
        said += ("零" if gap else "") + _DIGITS[digit] + _SMALL_UNITS[power]
        gap = False
    return said


def _date(date: dt.date) -> str:
    year = "".join(_DIGITS[int(digit)] for digit in f"{date.year:04d}")
    return f"{year}年{quantity(date.month)}月{quantity(date.day)}日"


def _time(hour: int, minute: int, second: int | None) -> str:
    said = ("两" if hour == 2 else quantity(hour)) + "点"
    if second is None and minute == 0:
        return said + "整"
    said += ("零" if 0 < minute < 10 else "") + quantity(minute) + "分"
    return said if second is None else said + quantity(second) + "秒"


def _decimal(whole: str, decimals: str) -> str:
    return f"{_whole(whole)}点" + "".join(_DIGITS[int(digit)] for digit in decimals)


def _whole(whole: str) -> str:
    plain = len(whole) <= _LONGEST_QUANTITY and (whole == "0" or not whole.startswith("0"))
    return quantity(int(whole)) if plain else "".join(_DIGITS[int(digit)] for digit in whole)


def _percent(whole: str, decimals: str | None) -> str:
    return "百分之" + (_whole(whole) if decimals is None else _decimal(whole, decimals))


VOICE: Final = marks.Voice(
    digits=digits,
    date=_date,
    time=_time,
    decimal=_decimal,
    minus=lambda said: "负" + said,
    percent=_percent,
    yuan="元",
    dollars="美元",
    point="点",
    pause="，",
)

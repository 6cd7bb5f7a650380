"""A call from top to bottom: SIP of both legs, flow steps and pushes in one order, as rows and as text.

`rows_of` says what stands in which row; `ladder_svg` draws it and `ladder_text` writes it.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from controller.details.picture import is_accepted
from controller.details.report import CallReport, SipReport
from controller.store.tables import Service
from controller.wording import Say, english

Place = Literal["a", "b", "platform", "customer"]
Mark = Literal["request", "good", "bad", "step", "push", "failed"]

_COLUMN: Final = 26
"""Characters between two lifelines of the text."""
_PLATFORM: Final = "voicecall"


@dataclass(frozen=True)
class Column:
    """Somebody with a lifeline."""

    place: Place
    title: str
    below: str
    """Beside the title: a number, a trunk."""


@dataclass(frozen=True)
class Row:
    """Something that went from one to another, or happened at one."""

    at: datetime
    seconds: float
    """Since the call was accepted."""
    begin: Place
    end: Place
    text: str
    mark: Mark
    message: int | None = None
    """Which SIP message, from 0; None: it is none."""


def columns_of(report: CallReport, say: Say = english) -> list[Column]:
    """Who takes part, from left to right."""
    callback = report.request.service == Service.CALLBACK
    legs = {leg.name: leg for leg in report.legs}
    first = legs["a"]
    title = "A" if callback else say("Callee")
    columns = [
        Column("a", title, _beside(first.number, first.trunk)),
        Column("platform", _PLATFORM, report.decisions.node),
    ]
    if callback:
        columns.append(Column("b", "B", _beside(legs["b"].number, legs["b"].trunk)))
    if report.pushes:
        columns.append(Column("customer", say("Customer"), say("pushes")))
    return columns


def rows_of(report: CallReport, say: Say = english) -> list[Row]:
    """All that happened, in order; what comes at the same time keeps the order of SIP, steps, pushes."""
    rows = [
        *_messages(report, say),
        *(
            Row(step.at, step.seconds, _place(step.leg), _place(step.leg), step.text, "step")
            for step in report.steps
            if step.kind != "push"
        ),
        *_pushes(report),
    ]
    return sorted(rows, key=lambda row: row.at)


def _messages(report: CallReport, say: Say) -> Iterator[Row]:
    for number, message in enumerate(report.capture.messages):
        leg: Place = message.leg
        begin: Place = "platform" if message.sent else leg
        end: Place = leg if message.sent else "platform"
        text = message.text or say("unreadable")
        if message.status is not None and message.method not in ("INVITE", ""):
            text += f" ({message.method})"
        if message.repeated:
            text += say(" again")
        yield Row(message.at, message.seconds, begin, end, text, _mark(message), number)


def _mark(message: SipReport) -> Mark:
    if message.status is None:
        return "request"
    # Being asked for a password is how a registration or call to a trunk begins.
    return "good" if message.status < 400 or message.status in (401, 407) else "bad"


def _pushes(report: CallReport) -> Iterator[Row]:
    begin = report.steps[0].at
    for push in report.pushes:
        seconds = round((push.at - begin).total_seconds(), 3)
        mark: Mark = "push" if is_accepted(push) else "failed"
        text = f"{push.event_type} {push.status or push.failure or '-'}"
        if push.attempt > 1:
            text += f" #{push.attempt}"
        yield Row(push.at, seconds, "platform", "customer", text, mark)


def _place(leg: str | None) -> Place:
    return "a" if leg == "a" else "b" if leg == "b" else "platform"


def _beside(number: str, trunk: str | None) -> str:
    return f"{number} · {trunk}" if trunk else number


def ladder_text(report: CallReport, say: Say = english) -> str:
    """As a text of fixed width, to be pasted into a letter."""
    columns = columns_of(report, say)
    places = {column.place: number for number, column in enumerate(columns)}
    head = "".join(_padded(column.title, _COLUMN) for column in columns)
    below = "".join(_padded(column.below, _COLUMN) for column in columns)
    lines = [report.verdict, "", f"{'':12}{head}".rstrip(), f"{'':12}{below}".rstrip()]
    lines += [f"{row.seconds:10.3f}  {_line(row, places)}".rstrip() for row in rows_of(report, say)]
    if report.capture.missing:
        lines += ["", report.capture.missing]
    return "\n".join(lines) + "\n"


def _line(row: Row, places: dict[Place, int]) -> str:
    begin, end = places.get(row.begin, 0), places.get(row.end, 0)
    bars = ["|"] * len(places)
    if begin == end:
        before = "".join(_padded(bar, _COLUMN) for bar in bars[:begin])
        return f"{before}* {row.text}"
    left, right = min(begin, end), max(begin, end)
    room = _COLUMN * (right - left) - 3
    text = _cut(f" {row.text} ", room - 4)
    dashes = room - text_width(text)
    drawn = "-" * (dashes // 2) + text + "-" * (dashes - dashes // 2)
    arrow = f"{drawn}>" if end > begin else f"<{drawn}"
    before = "".join(_padded(bar, _COLUMN) for bar in bars[:left])
    after = "".join(_padded(bar, _COLUMN) for bar in bars[right:])
    return f"{before}|{arrow} {after}"


def text_width(text: str) -> int:
    """Columns of a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _cut(words: str, width: int) -> str:
    while words and text_width(words) > width:
        words = words[:-2] + "…"
    return words


def _padded(text: str, width: int) -> str:
    cut = _cut(text, width - 1)
    return cut + " " * (width - text_width(cut))

"""A call as a picture: both legs over one axis of time, as SVG."""

from datetime import datetime
from html import escape
from typing import Final

from controller.details.report import CallReport, LegReport, PushReport, Span
from controller.details.words import not_pushed
from controller.store.tables import Service
from controller.wording import Say, english

_WIDTH, _LEFT, _RIGHT, _TOP, _ROW, _BAR = 960, 150, 20, 44, 56, 26
_TICKS = 8
_SHORTEST_LABEL: Final = 6.2
"""Pixels that a character of a label takes."""

COLOURS: Final = {
    "dialling": "#c4ccd6",
    "ringing": "#f0b95c",
    "prompt": "#7fa8e0",
    "waiting": "#d9c8ec",
    "listening": "#cfe0f5",
    "talking": "#6dbb8a",
}
_MOMENTS: Final = {"collected": "#7a3fb0", "recording": "#b3261e", "failover": "#b3261e"}
"""Steps that are marked, and how."""

_STEPS: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""Seconds between two ticks."""


def timeline_svg(report: CallReport, say: Say = english, *, titled: bool = True) -> str:
    """The picture; texts in it are escaped, so it can stand in a page, which may have the verdict already."""
    begin = report.steps[0].at
    end = max([report.steps[-1].at, *(span.ends for leg in report.legs for span in leg.spans)])
    # What is pushed long after the end would press the call together.
    over = [step.at for step in report.steps if step.kind == "disconnect"]
    end = max([begin, *over]) if over else end
    axis = _Axis(begin, max((end - begin).total_seconds(), 0.001))
    height = _TOP + _ROW * len(report.legs) + 46
    is_lettered = report.request.service == Service.CALLBACK
    above = 0 if titled else _TOP - 18
    shown = height - above
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {above} {_WIDTH} {shown}" width="{_WIDTH}" '
        f'height="{shown}" role="img" class="timeline" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(report.verdict)}</title>",
        *([f'<text x="8" y="20" font-size="14">{escape(report.verdict)}</text>'] if titled else ()),
        *_ticks(axis, height - 40),
        *(
            line
            for row, leg in enumerate(report.legs)
            for line in _leg(leg, axis, _TOP + _ROW * row, is_lettered)
        ),
        *_steps(report, axis),
        *_pushes(report, axis, height - 24, say),
        "</svg>",
    ]
    return "\n".join(parts)


class _Axis:
    def __init__(self, begin: datetime, seconds: float) -> None:
        self.begin = begin
        self.seconds = seconds

    def x(self, at: datetime) -> float:
        return self.of((at - self.begin).total_seconds())

    def of(self, seconds: float) -> float:
        share = min(max(seconds / self.seconds, 0.0), 1.0)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _ticks(axis: _Axis, bottom: int) -> list[str]:
    step = next((step for step in _STEPS if axis.seconds / step <= _TICKS), axis.seconds / _TICKS)
    lines = []
    for number in range(int(axis.seconds / step) + 1):
        x = axis.of(number * step)
        lines.append(
            f'<line x1="{x}" y1="{_TOP - 12}" x2="{x}" y2="{bottom}" stroke="#e3e7ec" class="tick"/>'
        )
        lines.append(
            f'<text x="{x + 2}" y="{_TOP - 4}" fill="#66707c" class="dim">{number * step:g} s</text>'
        )
    return lines


def _leg(leg: LegReport, axis: _Axis, y: int, is_lettered: bool) -> list[str]:
    """:param is_lettered: whether there is another leg that it could be taken for."""
    x = 26 if is_lettered else 8
    letter = f'<text x="8" y="{y + 16}" font-weight="600">{leg.name.upper()}</text>'
    lines = [
        *([letter] if is_lettered else []),
        f'<text x="{x}" y="{y + 16}">{escape(leg.number)}</text>',
        f'<text x="{x}" y="{y + 32}" fill="#66707c" class="dim">{escape(leg.trunk or "")}</text>',
    ]
    return lines + [line for span in leg.spans for line in _span(span, axis, y)]


def _span(span: Span, axis: _Axis, y: int) -> list[str]:
    x, until = axis.x(span.begins), axis.x(span.ends)
    width = max(round(until - x, 1), 1.5)
    seconds = (span.ends - span.begins).total_seconds()
    label = f"{span.text} {seconds:.1f} s"
    lines = [
        f'<rect x="{x}" y="{y}" width="{width}" height="{_BAR}" rx="3" fill="{COLOURS[span.kind]}" '
        f'class="span {span.kind}" data-kind="{span.kind}"><title>{escape(label)}</title></rect>'
    ]
    if width > len(label) * _SHORTEST_LABEL:
        lines.append(f'<text x="{x + 4}" y="{y + 17}" class="on-span">{escape(label)}</text>')
    return lines


def _steps(report: CallReport, axis: _Axis) -> list[str]:
    """What happens at a moment: keys and the recording, below the leg where they belong."""
    rows = {leg.name: number for number, leg in enumerate(report.legs)}
    lines = []
    for step in report.steps:
        if step.kind not in _MOMENTS:
            continue
        x, y = axis.x(step.at), _TOP + _ROW * rows.get(step.leg or "a", 0) + _BAR + 8  # type: ignore[call-overload]
        lines.append(
            f'<path d="M{x} {y - 5}l5 5l-5 5l-5 -5z" fill="{_MOMENTS[step.kind]}" class="moment {step.kind}" '
            f'data-kind="{step.kind}"><title>{escape(step.text)} ({step.seconds:.1f} s)</title></path>'
        )
    return lines


def _pushes(report: CallReport, axis: _Axis, y: int, say: Say) -> list[str]:
    lines = []
    for push in report.pushes:
        title = f"{push.event_type}: {push.status or not_pushed(push.failure or '', say) or say('no answer')}"
        colour, kind = ("#6dbb8a", "push") if is_accepted(push) else ("#d9605a", "failed")
        lines.append(
            f'<circle cx="{axis.x(push.at)}" cy="{y}" r="4" fill="{colour}" class="mark {kind}" '
            f'data-kind="push"><title>{escape(title)}</title></circle>'
        )
    if lines:
        lines.insert(0, f'<text x="8" y="{y + 4}" fill="#66707c" class="dim">{escape(say("pushes"))}</text>')
    return lines


def is_accepted(push: PushReport) -> bool:
    """Whether the receiver took it."""
    return push.failure is None and push.status is not None and 200 <= push.status < 300

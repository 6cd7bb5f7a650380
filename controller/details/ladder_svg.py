"""The ladder as SVG: colours are attributes, so that it looks right alone; pages colour it by its classes."""

from datetime import datetime
from html import escape
from typing import Final

from controller.details.ladder import Column, Place, Row, columns_of, rows_of, text_width
from controller.details.picture import COLOURS
from controller.details.report import CallReport
from controller.wording import Say, english

_LEFT, _SPACING, _ROW, _HEAD, _FOOT = 84, 250, 26, 46, 14
_BAR: Final = 8
_ARROW: Final = 6
_MARKS: Final = {
    "request": "#2158c9",
    "good": "#14713a",
    "bad": "#b3261e",
    "step": "#59636f",
    "push": "#14713a",
    "failed": "#b3261e",
}
_GAP: Final = 9
"""Between a lifeline and words beside it."""
_CHARACTER: Final = 7
"""Pixels of a character at font size 12; Chinese ones take two of them."""
_LONGEST: Final = 38
"""Characters of a label between two lifelines."""


def ladder_svg(report: CallReport, say: Say = english) -> str:
    """All of it: head and body."""
    drawing = _Drawing(report, say, linked=False)
    height = _HEAD + drawing.height
    return "\n".join(
        [
            *_svg(drawing.width, height, report.verdict),
            *drawing.head(),
            f'<g transform="translate(0 {_HEAD})">',
            *drawing.body(),
            "</g>",
            "</svg>",
        ]
    )


def ladder_parts(report: CallReport, say: Say) -> tuple[str, str]:
    """Head and body as pictures of their own: a page keeps the head in sight.

    Messages that may be seen in full lead to `#message-N`.
    """
    drawing = _Drawing(report, say, linked=True)
    head = [*_svg(drawing.width, _HEAD, say("Who takes part")), *drawing.head(), "</svg>"]
    # An image has nothing in it that can be pressed, so it is a group.
    body = [*_svg(drawing.width, drawing.height, report.verdict, "group"), *drawing.body(), "</svg>"]
    return "\n".join(head), "\n".join(body)


def _svg(width: int, height: int, title: str, role: str = "img") -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="{role}" class="ladder" font-family="system-ui, sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
    ]


class _Drawing:
    def __init__(self, report: CallReport, say: Say, *, linked: bool) -> None:
        self.report = report
        self.linked = linked
        self.columns: list[Column] = columns_of(report, say)
        self.rows: list[Row] = rows_of(report, say)
        self.x: dict[Place, int] = {
            column.place: _LEFT + 70 + _SPACING * number for number, column in enumerate(self.columns)
        }
        self.width = max(_LEFT + 140 + _SPACING * (len(self.columns) - 1), self._widest_step())
        self.height = _ROW * len(self.rows) + _FOOT

    def _widest_step(self) -> int:
        """Where the words of the step that reaches furthest to the right end, in pixels."""
        steps = [
            (self.x.get(row.begin, self.x["platform"]), row) for row in self.rows if row.begin == row.end
        ]
        return max((x + 2 * _GAP + _written(row) for x, row in steps if not self._is_last(x)), default=0)

    def _is_last(self, x: int) -> bool:
        """Whether what stands here is written to the left of its lifeline, or it would be cut off."""
        return x == max(self.x.values()) and len(self.columns) > 1

    def head(self) -> list[str]:
        lines = []
        for column in self.columns:
            x = self.x[column.place]
            lines += [
                f'<text x="{x}" y="18" text-anchor="middle" font-weight="600">{escape(column.title)}</text>',
                f'<text x="{x}" y="34" text-anchor="middle" class="dim" fill="#59636f">'
                f"{escape(column.below)}</text>",
            ]
        return lines

    def body(self) -> list[str]:
        lines = [
            f'<line x1="{x}" y1="0" x2="{x}" y2="{self.height}" stroke="#c4ccd6" class="lifeline"/>'
            for x in self.x.values()
        ]
        lines += self._spans()
        for number, row in enumerate(self.rows):
            lines += self._row(row, _ROW * number + _ROW // 2)
        return lines

    def _spans(self) -> list[str]:
        lines = []
        for leg in self.report.legs:
            x = self.x[leg.name] - _BAR // 2
            for span in leg.spans:
                begin, end = self._y(span.begins), self._y(span.ends)
                lines.append(
                    f'<rect x="{x}" y="{begin}" width="{_BAR}" height="{max(end - begin, 2)}" rx="2" '
                    f'fill="{COLOURS[span.kind]}" class="span {span.kind}">'
                    f"<title>{escape(span.text)}</title></rect>"
                )
        return lines

    def _y(self, at: datetime) -> int:
        """Where a moment is: between the rows before and after it, as far as it is between their times."""
        rows = self.rows
        after = next((number for number, row in enumerate(rows) if row.at >= at), None)
        if after is None:
            return self.height - _FOOT
        middle = _ROW * after + _ROW // 2
        if after == 0 or rows[after].at == at:
            return middle
        before = rows[after - 1].at
        share = (at - before) / (rows[after].at - before)
        return round(middle - _ROW * (1 - share))

    def _row(self, row: Row, y: int) -> list[str]:
        time = f'<text x="{_LEFT - 14}" y="{y + 4}" text-anchor="end" class="time" fill="#59636f">'
        lines = [f"{time}{row.seconds:.3f} s</text>"]
        begin, end = (self.x.get(place, self.x["platform"]) for place in (row.begin, row.end))
        drawn = self._step(row, begin, y) if begin == end else self._arrow(row, begin, end, y)
        if self.linked and self._is_whole(row):
            # A line is hard to hit: all of the row between the lifelines can be pressed.
            place = (
                f'<rect x="{min(begin, end)}" y="{y - _ROW // 2}" width="{abs(end - begin)}" '
                f'height="{_ROW}" fill="none" pointer-events="all"/>'
            )
            return [*lines, f'<a href="#message-{row.message}" class="to-message">', place, *drawn, "</a>"]
        return lines + drawn

    def _is_whole(self, row: Row) -> bool:
        return row.message is not None and self.report.capture.messages[row.message].message is not None

    def _step(self, row: Row, x: int, y: int) -> list[str]:
        colour = _MARKS[row.mark]
        anchor, place = ("end", x - _GAP) if self._is_last(x) else ("start", x + _GAP)
        return [
            f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}" class="mark {row.mark}"/>',
            f'<text x="{place}" y="{y + 4}" text-anchor="{anchor}" class="halo" stroke="#fff" '
            f'stroke-width="3" paint-order="stroke"><title>{escape(row.text)}</title>'
            f"{escape(_short(row.text, 2 * _LONGEST))}</text>",
        ]

    def _arrow(self, row: Row, begin: int, end: int, y: int) -> list[str]:
        colour, way = _MARKS[row.mark], 1 if end > begin else -1
        tip = end - way * (_BAR // 2 + 1)
        back = tip - way * _ARROW
        # Before the tip, where no lifeline goes through it: an arrow may pass over the other leg's.
        middle = end - way * _SPACING // 2
        dashes = ' stroke-dasharray="5 3"' if row.mark in ("push", "failed") else ""
        return [
            f'<line x1="{begin}" y1="{y}" x2="{back}" y2="{y}" stroke="{colour}" stroke-width="1.5"{dashes} '
            f'class="arrow {row.mark}"/>',
            f'<path d="M{tip} {y}L{back} {y - 4}V{y + 4}z" fill="{colour}" class="mark {row.mark}"/>',
            f'<text x="{middle}" y="{y - 4}" text-anchor="middle" class="label {row.mark}" '
            f'fill="{colour}"><title>{escape(row.text)}</title>{escape(_short(row.text, _LONGEST))}</text>',
        ]


def _written(row: Row) -> int:
    """Pixels that a step's words take, as they are written."""
    return _CHARACTER * text_width(_short(row.text, 2 * _LONGEST))


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

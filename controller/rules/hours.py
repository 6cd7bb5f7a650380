"""Hours of the day in which calls are made: spans such as `08:00-21:00`, in a zone."""

import re
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-(?:([01]\d|2[0-3]):([0-5]\d)|24:00)", re.ASCII)
_DAY = 24 * 3600


class Hours:
    """Spans of every day; no span at all means the whole day. Raises ValueError.

    The end of a span is outside; `21:00-08:00` goes over midnight.
    """

    def __init__(self, spans: Iterable[str] = (), zone: str = "UTC") -> None:
        self._zone = ZoneInfo(check_zone(zone))
        self._spans = [_span(text) for text in spans]

    def opens_in(self, moment: datetime) -> timedelta:
        """How long from `moment` until calls may be made: nothing if they may now."""
        local = moment.astimezone(self._zone)
        second = local.hour * 3600 + local.minute * 60 + local.second
        if not self._spans or any(_within(span, second) for span in self._spans):
            return timedelta()
        starts = [
            datetime.combine(local.date() + timedelta(days=day), time(), self._zone)
            + timedelta(seconds=start)
            for day in (0, 1)
            for start, _end in self._spans
        ]
        # Compared in absolute time, as the zone's clock may be put forward or back in between.
        waits = [start.timestamp() - moment.timestamp() for start in starts]
        return timedelta(seconds=min(wait for wait in waits if wait > 0))


def check_span(text: str) -> str:
    """`text` itself, if it is a span. Raises ValueError."""
    _span(text)
    return text


def check_zone(text: str) -> str:
    """`text` itself, if it names a zone such as Asia/Shanghai. Raises ValueError."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is not a time zone such as Asia/Shanghai") from None
    return text


def _span(text: str) -> tuple[int, int]:
    """(start, end) in seconds of the day."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a span of hours such as 08:00-21:00")
    start = int(found[1]) * 3600 + int(found[2]) * 60
    end = _DAY if found[3] is None else int(found[3]) * 3600 + int(found[4]) * 60
    if start == end:
        raise ValueError(f"{text!r} has no length; the whole day is 00:00-24:00")
    return start, end


def _within(span: tuple[int, int], second: int) -> bool:
    start, end = span
    return start <= second < end if start < end else second >= start or second < end

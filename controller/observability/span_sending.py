"""Spans on their way to a collector: they wait in memory and are sent many at a time.

Imported only where traces are wanted: OpenTelemetry's packages are an extra.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from opentelemetry.sdk.trace.export import SpanExportResult

from controller.observability.spans import Span

_AT_A_TIME: Final = 2048
"""Some 450 KB: what stands before a collector may take no more than 1 MB."""
_MOST: Final = 8 * _AT_A_TIME
"""Spans that wait while the collector takes none, some 10 MB; then the oldest are lost."""
_PATIENCE: Final = 5.0
"""Seconds that a few spans wait for more, and all of them for a collector that takes none."""

_log = logging.getLogger(__name__)


class Exporter(Protocol):
    """OpenTelemetry's, for spans in our form. It tries again by itself for some seconds, and blocks."""

    def export(self, spans: Sequence[Span], /) -> SpanExportResult: ...

    def shutdown(self) -> None: ...


class SpanSender:
    """Sends spans in a thread, when there are many or some have waited for 5 s.

    What a collector does not take now is sent again until it does, or until there is no more room.
    """

    def __init__(self, exporter: Exporter) -> None:
        self._exporter = exporter
        self._waiting: deque[Span] = deque()
        self._many = asyncio.Event()
        self._lost = 0

    def send(self, span: Span) -> None:
        """Soon; never blocks."""
        if len(self._waiting) >= _MOST:
            self._waiting.popleft()
            self._lost += 1
        self._waiting.append(span)
        if len(self._waiting) >= _AT_A_TIME:
            self._many.set()

    async def run(self) -> None:
        """Until cancelled; what is under way then is waited for."""
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._many.wait()
                due = len(self._waiting) // _AT_A_TIME * _AT_A_TIME
            except TimeoutError:
                due = len(self._waiting)
            self._many.clear()
            # Not what comes meanwhile: a busy controller would send all the time, and few at a time.
            while due > 0 and self._waiting:
                batch = self._batch()
                due -= len(batch)
                sending = asyncio.ensure_future(asyncio.to_thread(self._export, batch))
                try:
                    taken = await asyncio.shield(sending)
                except asyncio.CancelledError:
                    if not await sending:
                        # It need not be asked again: this is the end.
                        self._lost += len(batch) + len(self._waiting)
                        self._waiting.clear()
                    raise
                if not taken:
                    self._put_back(batch)
                    due += len(batch)
                    await asyncio.sleep(_PATIENCE)

    def close(self) -> None:
        """Send what is left. Blocks for as long as the exporter does with a batch that isn't taken."""
        while self._waiting:
            batch = self._batch()
            if not self._export(batch):
                self._lost += len(batch) + len(self._waiting)
                break
        self._say_lost()
        self._exporter.shutdown()

    def _say_lost(self) -> None:
        if self._lost:
            _log.warning("Spans are lost: the collector takes too few", extra={"spans": self._lost})
            self._lost = 0

    def _put_back(self, batch: Sequence[Span]) -> None:
        """Before all others, as far as there is room."""
        too_many = max(0, len(batch) + len(self._waiting) - _MOST)
        self._waiting.extendleft(reversed(batch[too_many:]))
        self._lost += too_many

    def _batch(self) -> list[Span]:
        self._say_lost()
        return [self._waiting.popleft() for _ in range(min(_AT_A_TIME, len(self._waiting)))]

    def _export(self, batch: Sequence[Span]) -> bool:
        """Whether these are done with; False: the collector didn't take them, and may do so later."""
        try:
            return self._exporter.export(batch) is SpanExportResult.SUCCESS
        except Exception:
            # At fault are they themselves: the exporter raises nothing about the collector.
            _log.exception("Spans are lost: they can't be sent", extra={"spans": len(batch)})
            return True

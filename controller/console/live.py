"""Parts of pages that follow what happens: server-sent events."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

INTERVAL: Final = 0.4
"""Seconds between two looks."""
_SILENCE: Final = 15.0
"""Seconds after which a browser that has gone is noticed."""
_LIFETIME: Final = 300.0
"""Seconds; then the browser comes again by itself, and shows once more who it is."""


class Stream:
    """Sends a part of a page whenever it has changed; None: it will change no more.

    The event `over` then says so; an element with `hx-sse:close="over"` does not come again.
    """

    def __init__(self, part: Callable[[], Awaitable[str | None]]) -> None:
        self._part = part

    async def to(self, request: web.Request) -> web.StreamResponse:
        """Stream until the browser leaves or its time is over."""
        answer = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        answer.force_close()
        await answer.prepare(request)
        clock = asyncio.get_running_loop().time
        end, silent_since, shown = clock() + _LIFETIME, clock(), ""
        with contextlib.suppress(ConnectionError):
            while clock() < end:
                now = await self._part()
                if now is None:
                    await answer.write(b"event: over\ndata: over\n\n")
                    break
                if now != shown:
                    await answer.write(_event(now))
                    shown, silent_since = now, clock()
                elif clock() - silent_since > _SILENCE:
                    await answer.write(b": still here\n\n")
                    silent_since = clock()
                await asyncio.sleep(INTERVAL)
        return answer


def logged_out() -> web.Response:
    """Instead of a stream: the page is to be asked for again, which leads to logging in and back."""
    return web.Response(text="event: logged-out\ndata: logged out\n\n", content_type="text/event-stream")


def _event(text: str) -> bytes:
    return "".join(f"data: {line}\n" for line in text.splitlines()).encode() + b"\n"

"""A call on a real node, watched and hung up in the console."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from integration.support import Bench, StartBench
from integration.test_management import PASSWORD, administrator

from testbed.softphone_plan import Answer

PATIENCE = 10
"""Seconds until something shows; how fast it is, `benchmarks/console.py` says."""


class Watcher:
    """A browser with the console's streams, without scripts."""

    def __init__(self, http: aiohttp.ClientSession, csrf: str) -> None:
        self._http = http
        self._csrf = csrf

    @classmethod
    @asynccontextmanager
    async def open(cls, b: Bench) -> AsyncIterator["Watcher"]:
        async with (
            administrator(b),
            aiohttp.ClientSession(b.controller.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
        ):
            credentials = {"login": "admin", "password": PASSWORD}
            async with http.post("/api/v1/session", json=credentials) as answer:
                yield cls(http, (await answer.json())["csrf_token"])

    async def until(self, page: str, shows: str) -> re.Match[str]:
        """Follow a page until it shows what this pattern says."""
        async with asyncio.timeout(PATIENCE), self._http.get(f"/console/{page}/events") as stream:
            event = ""
            async for line in stream.content:
                event += line.decode()
                if line == b"\n":
                    if found := re.search(shows, event):
                        return found
                    event = ""
        raise AssertionError(f"the stream of {page} ended without {shows}")

    async def post(self, path: str) -> int:
        """Send a form."""
        headers = {"X-CSRF-Token": self._csrf}
        async with self._http.post(f"/console{path}", headers=headers, allow_redirects=False) as answer:
            return answer.status


@pytest.mark.requirement("C9")
async def test_C9_given_a_call_when_it_is_made_then_the_console_shows_it_and_hangs_it_up(
    bench: StartBench,
) -> None:
    b = await bench(Answer())
    async with Watcher.open(b) as watcher:
        await watcher.until("dashboard", r'href="/console/live">0<')
        session = await b.notify({"notifyVoice": "long.wav"})
        call_id = session.partition("@")[0]
        await watcher.until("dashboard", r'href="/console/live">1<')
        await watcher.until("live", rf'id="call-{call_id}"(?s:.)*has answered')
        assert await watcher.post(f"/live/{call_id}/hang-up") == 303
        statuses, _cdr = await b.over(session)
        assert statuses[-1].info["stateCode"] == 8017
        await watcher.until("dashboard", r'href="/console/live">0<')
        await watcher.until("dashboard", r"ended by request")
        await watcher.until("live", "No call goes on")

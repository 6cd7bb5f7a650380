"""The console's pages: how large they are and how soon they are there, how fast the dashboard follows calls
at 100 a second, and what that costs the controller. Prints one JSON line.

Blocks of calls with and without people at the console take turns. With them, three streams are open: the
dashboard of everybody, and dashboard and live calls of an account that makes one call after the other. How
late these show is from sending the request for such a call until its event has come, the request's own way
included. Pages are asked for afterwards, when there are calls to be shown.
"""

import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import mean

import aiohttp
import uvloop
from pydantic import SecretStr

from benchmarks.load import Trial, milliseconds, run
from benchmarks.product import SECRET, Product, Use, product
from benchmarks.services import NOTIFICATION
from controller.console.live import INTERVAL
from controller.settings import ManagementSettings
from testbed.asterisk import obtain_asterisk
from testbed.client import ApiClient

_RATE, _BLOCK_SECONDS, _PAIRS = 100.0, 15.0, 3
_PAUSE = (0.5, 0.5 + INTERVAL)
"""Seconds between the end of one of the account's calls and the next: at any time between two looks."""
_ROUNDS = 40
_PASSWORD = "correct horse battery"
_SHOWN = "+8657126880999"
_WATCHED = f"""
[[accounts]]
id = "watched"
numbers = ["{_SHOWN}"]

[[accounts.apps]]
key = "watched"
secret = "{SECRET}"
service = "notification"

[[accounts.sounds]]
name = "prompt.wav"
file = "prompt.wav"
"""
_PAGES = ("dashboard", "live", "calls", "recordings", "pushes")
_ASSET = re.compile(r'(?:href|src)="(/console/assets/[^"]+)"')


@dataclass
class Streams:
    """The streams of pages, as browsers read them."""

    http: aiohttp.ClientSession
    seen: dict[str, float] = field(default_factory=dict)
    """When each call was first on a page: page, call id or number of live calls -> time."""
    bytes: int = 0
    events: int = 0
    live: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the dashboard shows a call of the account."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def follow(self, page: str, query: str) -> None:
        """Read events until cancelled."""
        async with self.http.get(f"/console/{page}/events{query}", timeout=aiohttp.ClientTimeout()) as answer:
            event = b""
            async for line in answer.content:
                event += line
                if line == b"\n":
                    self._take(page, query, event.decode())
                    event = b""

    def _take(self, page: str, query: str, event: str) -> None:
        self.bytes += len(event)
        self.events += 1
        if not query:
            return
        if page == "live":
            for call_id in re.findall(r'id="call-([^"]+)"', event):
                self.seen.setdefault(f"live {call_id}", time.perf_counter())
            return
        found = re.search(r'href="/console/live\?account_id=watched">(\d+)<', event)
        assert found is not None, event
        shows = int(found[1]) > 0
        if shows and not self.live.is_set():
            self.seen["dashboard"] = time.perf_counter()
        (self.live if shows else self.idle).set()
        (self.idle if shows else self.live).clear()


@dataclass
class Lags:
    """Seconds from the request for a call until it is on a page."""

    requests: list[float] = field(default_factory=list)
    """Of these, what passed until the request was answered."""
    dashboard: list[float] = field(default_factory=list)
    live: list[float] = field(default_factory=list)


async def _watch(side: Product, streams: Streams, lags: Lags) -> None:
    """Have the account make one call after the other until cancelled."""
    dice = Random(6)
    async with ApiClient.open(side.url, "watched", SECRET) as client:
        for number in range(1_000_000):
            await streams.idle.wait()
            await asyncio.sleep(dice.uniform(*_PAUSE))
            body = {**NOTIFICATION.request(*side.phones.numbers(number)), "displayNbr": _SHOWN}
            asked = time.perf_counter()
            answer = await client.notify(body)
            assert answer.code == "0", answer.text
            lags.requests.append(time.perf_counter() - asked)
            await streams.live.wait()
            lags.dashboard.append(streams.seen["dashboard"] - asked)
            await streams.idle.wait()
            seen = streams.seen.get(f"live {answer.session_id.partition('@')[0]}")
            assert seen is not None, "a call was never on the page of live calls"
            lags.live.append(seen - asked)


@asynccontextmanager
async def _watched(side: Product, http: aiohttp.ClientSession, lags: Lags) -> AsyncIterator[Streams]:
    """People at the console, until the end of the block."""
    streams = Streams(http)
    whose = "?account_id=watched"
    works = [
        asyncio.create_task(work)
        for work in (
            streams.follow("dashboard", ""),
            streams.follow("dashboard", whose),
            streams.follow("live", whose),
            _watch(side, streams, lags),
        )
    ]
    try:
        yield streams
    finally:
        for work in works:
            if work.done():
                work.result()
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


async def _pages(http: aiohttp.ClientSession) -> dict[str, dict[str, float]]:
    """Of each page: bytes of it, of all that it refers to (compressed), and how long it takes."""
    taken: dict[str, list[float]] = {page: [] for page in _PAGES}
    texts: dict[str, str] = {}
    for _ in range(_ROUNDS):
        for page in _PAGES:
            began = time.perf_counter()
            async with http.get(f"/console/{page}") as answer:
                texts[page] = await answer.text()
                assert answer.status == 200, texts[page]
            taken[page].append(time.perf_counter() - began)
    assets: dict[str, int] = {}
    for address in {found for text in texts.values() for found in _ASSET.findall(text)}:
        # As it travels: not what the client makes of it.
        async with http.get(address, headers={"Accept-Encoding": "gzip"}) as answer:
            assets[address] = int(answer.headers["Content-Length"])
    return {
        page: {
            "bytes": len(text.encode()),
            "with_assets": len(text.encode()) + sum(assets[its] for its in set(_ASSET.findall(text))),
            **milliseconds("ready", taken[page]),
        }
        for page, text in texts.items()
    }


async def _log_in(http: aiohttp.ClientSession) -> None:
    async with http.post("/api/v1/session", json={"login": "admin", "password": _PASSWORD}) as answer:
        assert answer.status == 201, await answer.text()


async def measure(directory: Path) -> Mapping[str, object]:
    """All figures."""
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    settings = {"management": ManagementSettings(administrator_password=SecretStr(_PASSWORD))}
    lags, alone, beside = Lags(), list[Trial](), list[Trial]()
    event_bytes = events = 0
    async with (
        product(directory / "product", program, [Use(NOTIFICATION)], _WATCHED, settings) as (side,),
        aiohttp.ClientSession(side.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http,
    ):
        await side.warm_up(20)
        await _log_in(http)
        for _ in range(_PAIRS):
            alone.append(await _block(side))
            async with _watched(side, http, lags) as streams:
                beside.append(await _block(side))
            for name, seconds in vars(lags).items():
                print(f"{name}, ms: {[round(1000 * each) for each in seconds]}", file=sys.stderr, flush=True)
            event_bytes, events = event_bytes + streams.bytes, events + streams.events
        pages = await _pages(http)
    return {
        "bench": "console",
        "calls_per_s": _RATE,
        "calls": sum(trial.calls for trial in beside),
        "faults": {name: much for trial in (*alone, *beside) for name, much in trial.faults.items()},
        **milliseconds("request", lags.requests),
        **milliseconds("dashboard_lag", lags.dashboard),
        "dashboard_lag_ms_max": round(1000 * max(lags.dashboard)),
        **milliseconds("live_lag", lags.live),
        "live_lag_ms_max": round(1000 * max(lags.live)),
        "looks": len(lags.dashboard),
        "bytes_an_event": round(event_bytes / events),
        "cpu_ms_per_call": round(mean(trial.cpu_ms["controller"] for trial in alone), 2),
        "cpu_ms_per_call_watched": round(mean(trial.cpu_ms["controller"] for trial in beside), 2),
        "others_cpu_share": round(max(trial.others for trial in (*alone, *beside)), 2),
        "pages": pages,
    }


async def _block(side: Product) -> Trial:
    trial = await run(side, _RATE, _BLOCK_SECONDS)
    print(trial, file=sys.stderr, flush=True)
    return trial


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vc-console-") as temporary:
        print(json.dumps(uvloop.run(measure(Path(temporary)))))

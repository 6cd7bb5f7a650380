"""A real browser before a platform of the test's own."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from integration.conftest import bench, program, unhurried
from integration.support import Bench, StartBench
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright
from pydantic import SecretStr

from controller.clock import SystemClock
from controller.console.libraries import INSTALLED
from controller.management.first_run import first_administrator
from controller.settings import ManagementSettings

__all__ = ["bench", "program", "unhurried"]

PASSWORD = "correct horse battery"
CHROMIUM = os.environ.get("VOICECALL_CHROMIUM", "/usr/bin/chromium")
SCREENSHOTS = Path(os.environ.get("VOICECALL_SCREENSHOTS", "var/screenshots"))
"""Test output: every page as it looked."""

_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]


@dataclass
class Visitor:
    """Somebody at the console. What their browser complains of fails the test at its end."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Addresses that a page asked for outside of the platform."""

    def __post_init__(self) -> None:
        self.page.on("console", self._complained)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def _complained(self, message: ConsoleMessage) -> None:
        # An answer that isn't 200 is what the test looks at itself.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(self.url).netloc:
            self.elsewhere.append(request.url)

    async def go(self, path: str) -> None:
        """Open a page of the console."""
        await self.page.goto(f"{self.url}/console{path}")

    async def log_in(self, login: str = "admin", password: str = PASSWORD) -> None:
        """Log in by the form."""
        await self.go("/login")
        await self.page.fill("[name=login]", login)
        await self.page.fill("[name=password]", password)
        await self.page.click("main button.primary")
        await self.page.wait_for_selector("#navigation", state="attached")

    async def agree(self, word: str | None = None) -> None:
        """Answer the question that the page asks before it does what was pressed; some want a word typed."""
        if word is not None:
            await self.page.fill("#ask-word", word)
        await self.page.click("#ask-yes")

    async def reload_until(self, selector: str, patience: float = 60.0) -> None:
        """Look at the page again until it has this."""
        async with asyncio.timeout(patience):
            while not await self.page.locator(selector).count():
                await asyncio.sleep(0.2)
                await self.page.reload()

    async def shoot(self, name: str) -> Path:
        """Keep how the page looks."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        # From its top: else what sticks to the window stands in the middle of the picture.
        scrolled = await self.page.evaluate("() => { const top = scrollY; scrollTo(0, 0); return top; }")
        await self.page.screenshot(path=path, full_page=True)
        await self.page.evaluate("top => scrollTo(0, top)", scrolled)
        return path

    async def accessibility(self) -> list[str]:
        """Serious faults that axe finds on the page."""
        await self.page.evaluate((INSTALLED / "axe-core" / "axe.min.js").read_text())
        found: list[dict[str, Any]] = await self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then(done => done.violations)"
        )
        return [
            f"{fault['id']}: {json.dumps([node['html'][:160] for node in fault['nodes']][:3])}"
            for fault in found
            if fault["impact"] in ("serious", "critical")
        ]


@dataclass
class Site:
    """A platform with its administrator, and browsers before it."""

    bench: Bench
    browser: Browser
    visitors: list[Visitor] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    @property
    def url(self) -> str:
        return self.bench.controller.url

    async def visitor(self, *, language: str = "en", theme: str = "light", width: int = 1280) -> Visitor:
        """A browser without a session."""
        context = await self.browser.new_context(
            locale=language,
            color_scheme="dark" if theme == "dark" else "light",
            viewport={"width": width, "height": 800},
            permissions=["microphone", "clipboard-read", "clipboard-write"],
        )
        self.contexts.append(context)
        made = Visitor(await context.new_page(), self.url)
        self.visitors.append(made)
        return made


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A Chromium of the test's own."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield running
        await running.close()


@pytest.fixture
async def site(bench: StartBench, browser: Browser) -> AsyncIterator[Site]:
    """A platform of the test's own: declared account, prompts and phone as in the integration tests."""
    async with opened(await bench(), browser) as made:
        yield made


@asynccontextmanager
async def opened(made: Bench, browser: Browser) -> AsyncIterator[Site]:
    """The console of a bench, with its administrator."""
    controller = made.controller
    settings = ManagementSettings(administrator_password=SecretStr(PASSWORD))
    await first_administrator(controller.database, settings, SystemClock())
    site = Site(made, browser)
    yield site
    for context in site.contexts:
        await context.close()
    complaints = [complaint for visitor in site.visitors for complaint in visitor.complaints]
    elsewhere = [address for visitor in site.visitors for address in visitor.elsewhere]
    assert complaints == []
    assert elsewhere == []

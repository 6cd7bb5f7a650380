"""A newcomer's first heard call, and how light and ready pages are, in a real browser. Prints one JSON line.

The platform is empty at first, as after its installation. The time of the first call runs from opening the
console, and logging in is part of it; buttons are pressed as soon as they are there. Chromium's microphone is
a false one. Needs what `scripts/setup-browser` installs.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.async_api import Page, async_playwright
from pydantic import SecretStr

from controller.settings import ManagementSettings
from testbed.asterisk import obtain_asterisk
from testbed.controller_process import controller_process
from testbed.platform import platform

_PASSWORD = "correct horse battery"
_CHROMIUM = os.environ.get("VOICECALL_CHROMIUM", "/usr/bin/chromium")
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
_PATIENCE = 60_000
"""Milliseconds."""
_ROUNDS = 5
_WEIGHT = """
[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]
  .filter(one => one.initiatorType !== 'font' && one.initiatorType !== 'fetch')
  .reduce((sum, one) => sum + one.encodedBodySize, 0)
"""
_READY = "performance.getEntriesByType('navigation')[0].loadEventEnd"
"""Milliseconds from asking for the page until all that it refers to is there and has run."""


async def _first_call(page: Page, url: str) -> float:
    """Seconds from opening the console until a call is heard in the page."""
    began = time.perf_counter()
    await page.goto(f"{url}/console")
    await page.fill("[name=login]", "admin")
    await page.fill("[name=password]", _PASSWORD)
    await page.click("main button.primary")
    await page.click("form.act button")
    await page.click("[data-phone=on]")
    await page.wait_for_selector("#phone[data-state=ready]", timeout=_PATIENCE)
    await page.click("#send")
    await page.wait_for_selector("#phone[data-state=ringing]", timeout=_PATIENCE)
    await page.click("[data-phone=answer]")
    await page.wait_for_selector("[data-phone=heard][data-sound=yes]", timeout=_PATIENCE)
    heard = time.perf_counter() - began
    await page.keyboard.press("1")
    await page.wait_for_selector("#live [data-over=yes]", timeout=_PATIENCE)
    return heard


async def _pages(page: Page, url: str) -> dict[str, dict[str, int]]:
    """Of each page that the menu leads to, and of the call's: bytes as they travel, and when it is ready."""
    call = await page.get_attribute("#live a[href^='/console/calls/']", "href")
    assert call is not None
    places = await page.eval_on_selector_all(
        "#navigation a", "all => all.map(one => one.getAttribute('href'))"
    )
    figures = {}
    for place in [*places, call]:
        ready, weight = [], 0
        for _ in range(_ROUNDS):
            await page.goto(url + place, wait_until="load")
            ready.append(await page.evaluate(_READY))
            weight = max(weight, int(await page.evaluate(_WEIGHT)))
        name = "one call" if place == call else place.removeprefix("/console/")
        figures[name] = {
            "bytes": weight,
            "ready_ms": round(median(ready)),
            "ready_ms_max": round(max(ready)),
        }
    return figures


async def measure(directory: Path) -> dict[str, object]:
    """All figures."""
    program = obtain_asterisk(lambda line: print(line, file=sys.stderr))
    sections = {"management": ManagementSettings(administrator_password=SecretStr(_PASSWORD))}
    async with (
        platform(directory, program, sections) as home,
        controller_process(home.settings, directory / "controller") as controller,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        context = await browser.new_context(locale="en", permissions=["microphone"])
        page = await context.new_page()
        heard = await _first_call(page, controller.url)
        pages = await _pages(page, controller.url)
        await browser.close()
    return {
        "bench": "pages",
        "first_call_heard_s": round(heard, 1),
        "largest_bytes": max(it["bytes"] for it in pages.values()),
        "slowest_ready_ms": max(it["ready_ms"] for it in pages.values()),
        "load_average": os.getloadavg()[0],
        "pages": pages,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="vc-pages-") as temporary:
        print(json.dumps(asyncio.run(measure(Path(temporary)))))

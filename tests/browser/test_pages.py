"""Every page there is: light, and readable for everybody, in both languages and themes."""

from urllib.parse import urlsplit

import pytest
from browser.conftest import Site, Visitor
from integration.support import APP_KEY
from playwright.async_api import expect

LARGEST_PAGE = 200_000
"""Bytes that a page and all it refers to may have."""
MOST_PAGES = 120


ROWS = """
[...document.querySelectorAll('main table tbody tr')]
  .filter(row => row.offsetParent && !row.querySelector('td.wrap, details, audio'))
  .map(row => row.getBoundingClientRect().height)
  .filter(height => height < 32 || height > 36)
"""
"""Heights of lines of lists that aren't as dense as all are; those whose text may be long are left out."""


def _name(path: str) -> str:
    """Of a page's picture: the same in every run."""
    return _pattern(path).removeprefix("/console/").replace("/", "-").replace("*", "one") or "start"


def _pattern(address: str) -> str:
    """Pages of the same kind have the same: ids and numbers don't count."""
    parts = urlsplit(address).path.split("/")
    return "/".join("*" if any(letter in "0123456789+@%" for letter in part) else part for part in parts)


async def _every_page(visitor: Visitor) -> list[str]:
    """One page of each kind that links lead to, from where one lands."""
    waiting, seen, found = ["/console/"], set[str](), list[str]()
    while waiting and len(found) < MOST_PAGES:
        address = waiting.pop(0)
        if _pattern(address) in seen:
            continue
        seen.add(_pattern(address))
        answer = await visitor.page.goto(visitor.url + address, wait_until="domcontentloaded")
        assert answer is not None
        assert answer.status == 200, address
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        found.append(urlsplit(visitor.page.url).path)
        seen.add(_pattern(visitor.page.url))
        links = await visitor.page.eval_on_selector_all(
            "a[href]:not([download]), tr[data-open]",
            "all => all.map(one => one.dataset.open || one.getAttribute('href'))",
        )
        waiting += [
            link.split("#")[0] for link in links if link.startswith("/console/") and "download" not in link
        ]
    return found


async def _weight(visitor: Visitor) -> int:
    """Bytes that came for the page, as they travelled; fonts aside."""
    return int(
        await visitor.page.evaluate(
            "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
            ".filter(one => one.initiatorType !== 'font' && one.initiatorType !== 'fetch')"
            ".reduce((sum, one) => sum + one.encodedBodySize, 0)"
        )
    )


@pytest.mark.requirement("C9")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_given_every_page_when_opened_then_it_is_light_and_accessible(
    site: Site, language: str, theme: str
) -> None:
    session = await site.bench.notify()
    await site.bench.over(session)
    visitor = await site.visitor(language=language, theme=theme)
    await visitor.log_in()
    faults: dict[str, object] = {}
    pages = await _every_page(visitor)
    for path in pages:
        await visitor.page.goto(visitor.url + path, wait_until="load")
        await visitor.shoot(f"{language}-{theme}-{_name(path)}")
        if rows := await visitor.page.evaluate(ROWS):
            faults[f"{path} rows"] = rows
        if found := await visitor.accessibility():
            faults[path] = found
        if (weight := await _weight(visitor)) > LARGEST_PAGE:
            faults[f"{path} weight"] = weight
        wide = await visitor.page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        if wide:
            faults[f"{path} width"] = "the page scrolls sideways"
    assert faults == {}


@pytest.mark.requirement("C9")
@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("zh-CN", "light")])
async def test_given_a_phone_when_a_page_is_opened_then_it_fits_and_the_menu_opens(
    site: Site, language: str, theme: str
) -> None:
    session = await site.bench.notify()
    await site.bench.over(session)
    visitor = await site.visitor(language=language, theme=theme, width=390)
    await visitor.log_in()
    await visitor.page.click(".menu-button")
    assert await visitor.page.is_visible("#navigation")
    wide: list[str] = []
    for path in await _every_page(visitor):
        await visitor.page.goto(visitor.url + path, wait_until="load")
        await visitor.shoot(f"phone-{language}-{theme}-{_name(path)}")
        if await visitor.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
            wide.append(path)
    assert wide == []


@pytest.mark.requirement("C9")
async def test_given_the_keyboard_alone_when_used_then_pages_and_search_are_reached(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.log_in()
    page = visitor.page
    await page.keyboard.press("?")
    assert await page.is_visible("#keys")
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await page.wait_for_url("**/console/dashboard")
    await page.keyboard.press("/")
    focused = await page.evaluate("document.activeElement.name")
    assert focused == "text"

    await visitor.go("/applications")
    chosen = page.locator("tr[data-chosen]")
    for key, line in (("j", 0), ("j", 1), ("k", 0)):
        await page.keyboard.press(key)
        assert await page.locator("tbody tr").nth(line).get_attribute("data-chosen") == "", key
    await page.keyboard.press("Escape")
    await expect(chosen).to_have_count(0)
    await page.keyboard.press("j")
    await page.keyboard.press(".")
    assert await page.evaluate("document.activeElement.closest('tr').dataset.chosen") == ""
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/applications/*")
    await visitor.go("/audit")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await expect(page.locator("tr[data-chosen] details")).to_have_attribute("open", "")
    await visitor.go(f"/applications/{APP_KEY}")
    its = page.locator("main code.id").first
    await its.focus()
    await page.keyboard.press("Enter")
    assert await page.evaluate("navigator.clipboard.readText()") == await its.inner_text()


@pytest.mark.requirement("C9")
async def test_given_a_page_without_a_clipboard_when_an_id_is_clicked_then_it_is_copied_and_said(
    site: Site,
) -> None:
    """As pages have none that came without TLS from another machine."""
    visitor = await site.visitor()
    page = visitor.page
    await page.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', {value: undefined})")
    await visitor.log_in()
    await visitor.go(f"/applications/{APP_KEY}")
    its = page.locator("main code.id").first
    for press in (its.click, lambda: its.press(" ")):
        await press()
        await expect(page.locator("#copied")).to_have_text("Copied")
        await expect(page.locator("#copied")).to_be_empty()
    await visitor.go("/calls")
    await page.focus("[data-search]")
    await page.keyboard.press("Control+V")
    await expect(page.locator("[data-search]")).to_have_value(APP_KEY)

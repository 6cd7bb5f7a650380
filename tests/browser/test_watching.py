"""Dashboard and live calls in a real browser: what happens shows without a reload."""

import re

import pytest
from browser.conftest import Site
from integration.support import APP_KEY
from playwright.async_api import expect

PATIENCE = 10_000
"""Milliseconds; how fast it is, `benchmarks/console.py` says."""


@pytest.mark.requirement("C9")
async def test_C9_given_the_dashboard_when_a_call_begins_and_ends_then_it_shows_by_itself(site: Site) -> None:
    visitor = await site.visitor()
    await visitor.log_in()
    await visitor.go("/dashboard")
    live = visitor.page.locator('.tile a[href="/console/live"]')
    await expect(live).to_have_text("0")
    session = await site.bench.notify({"notifyVoice": "long.wav"})
    await expect(live).to_have_text("1", timeout=PATIENCE)
    await visitor.shoot("dashboard-with-a-call")
    await site.bench.over(session)
    await expect(live).to_have_text("0", timeout=PATIENCE)
    await expect(visitor.page.locator("main")).to_contain_text("100.0 %", timeout=PATIENCE)
    assert await visitor.page.locator(".series path").get_attribute("d")


@pytest.mark.requirement("C9")
async def test_C9_given_a_live_call_when_hung_up_in_the_page_then_it_ends_and_is_in_the_list(
    site: Site,
) -> None:
    visitor = await site.visitor(language="zh-CN", theme="dark")
    await visitor.log_in()
    await visitor.go("/live")
    page = visitor.page
    session = await site.bench.notify({"notifyVoice": "long.wav"})
    line = page.locator("tr[data-open]")
    await expect(line).to_contain_text("已接听", timeout=PATIENCE)
    await expect(line.locator("time[data-runs]").first).to_have_text(re.compile(r"^\d:\d\d$"))
    await visitor.shoot("live-zh")
    await line.locator("button.danger").click()
    await visitor.agree()
    await site.bench.over(session)
    await expect(line).to_have_count(0, timeout=PATIENCE)
    await page.fill("[data-search]", session.partition("@")[0])
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/calls?text=*")
    row = page.locator("tr[data-open]")
    await expect(row).to_contain_text("按请求结束")
    await expect(row).to_contain_text(APP_KEY)
    await visitor.shoot("calls-zh")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/console/calls/1200_*")


@pytest.mark.requirement("C9")
async def test_C9_given_a_list_that_is_pointed_at_when_a_call_ends_then_it_stands_still_until_they_leave(
    site: Site,
) -> None:
    visitor = await site.visitor()
    await visitor.log_in()
    await visitor.go("/live")
    page = visitor.page
    session = await site.bench.notify({"notifyVoice": "long.wav"})
    line = page.locator("tr[data-open]")
    await expect(line).to_have_count(1, timeout=PATIENCE)
    await line.hover()
    await site.bench.over(session)
    note = page.locator(".held")
    await expect(note).to_be_visible(timeout=PATIENCE)
    await expect(line).to_have_count(1)
    await page.mouse.move(1, 1)
    await expect(line).to_have_count(0, timeout=PATIENCE)
    await expect(note).to_be_hidden()


@pytest.mark.requirement("C9")
async def test_C9_given_filters_when_chips_are_taken_away_then_the_list_widens(site: Site) -> None:
    session = await site.bench.notify()
    await site.bench.over(session)
    visitor = await site.visitor()
    await visitor.log_in()
    page = visitor.page
    await visitor.go("/calls?service=callback&result=0")
    await expect(page.locator(".chip")).to_have_count(2)
    await expect(page.locator("main")).to_contain_text("No call meets all of these filters.")
    await page.locator(".chip", has_text="voice callback").click()
    await expect(page.locator(".chip")).to_have_count(1)
    await expect(page.locator("tr[data-open]")).to_have_count(1)
    await visitor.shoot("calls-filtered")


@pytest.mark.requirement("C9")
async def test_C9_given_a_list_when_t_or_a_time_is_pressed_then_its_times_are_exact_there_and_afterwards(
    site: Site,
) -> None:
    visitor = await site.visitor()
    await visitor.log_in()
    page = visitor.page
    await visitor.go("/me/sessions")
    times = page.locator("main time[data-ago]")
    exact = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$")
    await expect(times.first).to_have_text("just now")
    await page.keyboard.press("t")
    await expect(times.first).to_have_text(exact)
    await visitor.go("/users")
    await expect(times.first).to_have_text(exact)
    # A finger has no key and no hover.
    await times.first.click()
    await expect(times.first).to_have_text("just now")

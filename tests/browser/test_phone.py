"""The phone in the page: real calls from a real Asterisk into a real browser."""

from collections.abc import AsyncIterator

import pytest
from browser.conftest import Site, Visitor, opened
from integration.support import StartBench
from playwright.async_api import Browser

from controller.settings import CallSettings

PATIENT = CallSettings(ring_timeout=20, first_digit_timeout=5, inter_digit_timeout=1, drain_timeout=0.2)
SECONDS = 1000
"""Milliseconds."""


@pytest.fixture
async def site(bench: StartBench, browser: Browser) -> AsyncIterator[Site]:
    async with opened(await bench(sections={"calls": PATIENT}), browser) as made:
        yield made


async def _switched_on(site: Site) -> tuple[Visitor, str]:
    """Somebody whose phone waits for calls, and its number."""
    visitor = await site.visitor()
    await visitor.log_in()
    await visitor.go("/phone")
    await visitor.page.click("[data-phone=on]")
    await _state(visitor, "ready")
    return visitor, await visitor.page.inner_text("[data-phone=number]")


async def _state(visitor: Visitor, state: str, seconds: float = 20) -> None:
    await visitor.page.wait_for_selector(f"#phone[data-state={state}]", timeout=seconds * SECONDS)


async def _answer(visitor: Visitor) -> None:
    await _state(visitor, "ringing")
    await visitor.page.click("[data-phone=answer]")
    await _state(visitor, "talking")


@pytest.mark.requirement("A2.2")
@pytest.mark.requirement("C9")
async def test_given_a_phone_in_the_page_when_a_notification_comes_then_it_is_heard_and_its_keys_are_pushed(
    site: Site,
) -> None:
    visitor, number = await _switched_on(site)
    assert number.startswith("+990")
    session = await site.bench.notify({"notifyVoice": "long.wav", "collectInd": 1}, callee=number)
    await _answer(visitor)
    await visitor.page.wait_for_selector("[data-phone=heard][data-sound=yes]", timeout=10 * SECONDS)
    heard = visitor.page.locator("[data-phone=heard]")
    assert int(await heard.get_attribute("data-packets") or 0) > 10
    await visitor.shoot("phone-talking")
    await visitor.page.click("[data-key='1']")
    pushed = await site.bench.receiver.wait_status(session, "collectInfo", 15)
    assert pushed.info["digitInfo"] == "1"
    statuses, cdr = await site.bench.over(session)
    assert [status.event_type for status in statuses] == [
        "callout",
        "alerting",
        "answer",
        "collectInfo",
        "disconnect",
    ]
    assert cdr["ulFailReason"] == 0
    await _state(visitor, "ready")

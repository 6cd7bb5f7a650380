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


@pytest.mark.requirement("A1.1")
@pytest.mark.requirement("C9")
async def test_given_a_phone_in_the_page_when_it_is_a_callbacks_caller_then_it_hears_the_other_phone(
    site: Site,
) -> None:
    visitor, number = await _switched_on(site)
    session = await site.bench.call_back(callerNbr=number, calleeNbr="+99901601000")
    await _answer(visitor)
    await site.bench.receiver.wait_for(
        lambda push: (
            push.json.get("statusInfo", {}).get("called") == "+99901601000"
            and push.json["eventType"] == "answer"
        ),
        20,
    )
    packets = "[data-phone=heard][data-sound=yes]"
    await visitor.page.wait_for_selector(packets, timeout=15 * SECONDS)
    await visitor.page.click("[data-phone=mute]")
    assert await visitor.page.get_attribute("[data-phone=mute]", "aria-pressed") == "true"
    await visitor.page.click("[data-phone=hang-up]")
    _, cdr = await site.bench.over(session)
    assert cdr["ulFailReason"] == 0
    await _state(visitor, "ready")


@pytest.mark.requirement("C9")
async def test_given_a_phone_that_rings_when_the_call_is_rejected_by_keyboard_then_the_customer_is_told(
    site: Site,
) -> None:
    visitor, number = await _switched_on(site)
    session = await site.bench.notify(callee=number)
    await _state(visitor, "ringing")
    await visitor.page.keyboard.press("Tab")
    await visitor.page.keyboard.press("Enter")
    statuses, cdr = await site.bench.over(session)
    assert statuses[-1].info["stateCode"] == 8105
    assert cdr["sipStatusCode"] == 603


@pytest.mark.requirement("C9")
async def test_given_a_phone_when_another_page_switches_it_on_then_the_first_one_says_so(
    site: Site,
) -> None:
    first, number = await _switched_on(site)
    # In the same tab the phone goes along.
    await first.go("/phone")
    await _state(first, "ready")
    second, same = await _switched_on(site)
    assert same == number
    await _state(first, "off")
    assert "another page" in await first.page.inner_text("[data-phone=fault]")
    await second.page.click("[data-phone=off]")
    await _state(second, "off")

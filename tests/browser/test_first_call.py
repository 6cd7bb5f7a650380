"""From an empty platform to a call that is heard, by the console alone; and the programs that it shows."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from browser.conftest import Site, Visitor, opened
from integration.support import Bench
from playwright.async_api import Browser, expect
from sqlmodel import Session, select

from controller.settings import CallSettings
from controller.store.tables import App, Service
from testbed.asterisk import AsteriskProgram
from testbed.platform import platform
from testbed.push_receiver import PushReceiver

PATIENT = CallSettings(ring_timeout=20, first_digit_timeout=5, inter_digit_timeout=1, drain_timeout=0.2)
SECONDS = 1000
"""Milliseconds."""


@pytest.fixture
async def site(tmp_path: Path, program: AsteriskProgram, browser: Browser) -> AsyncIterator[Site]:
    """A platform in which nothing was declared."""
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(platform(tmp_path, program, {"calls": PATIENT}))
        receiver = await stack.enter_async_context(PushReceiver.start())
        bench = Bench(home, receiver, {}, stack)
        await bench.start_controller()
        yield await stack.enter_async_context(opened(bench, browser))


async def _prepared(site: Site, language: str = "en") -> Visitor:
    visitor = await site.visitor(language=language)
    await visitor.log_in()
    await visitor.page.wait_for_url("**/console/first-call")
    await visitor.page.click("form.act button")
    await visitor.page.wait_for_selector("#call-form")
    return visitor


async def _secret(site: Site, service: Service) -> str:
    def read(session: Session) -> str:
        return session.exec(select(App.secret).where(App.service == service)).one()

    return await site.bench.controller.database.read(read)


@pytest.mark.requirement("C9")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_given_an_empty_platform_when_three_buttons_are_pressed_then_a_call_is_heard(
    site: Site, language: str
) -> None:
    visitor = await _prepared(site, language)
    page = visitor.page
    await page.click("[data-phone=on]")
    await page.wait_for_selector("#phone[data-state=ready]")
    await page.fill("[name=pushUrl]", site.bench.receiver.url("/told"))
    await page.click("#send")
    await page.wait_for_selector("#phone[data-state=ringing]", timeout=20 * SECONDS)
    await page.click("[data-phone=answer]")
    await page.wait_for_selector("[data-phone=heard][data-sound=yes]", timeout=20 * SECONDS)
    await page.keyboard.press("1")
    await page.wait_for_selector("#live [data-over=yes]", timeout=20 * SECONDS)
    assert '"resultcode": "0"' in await page.inner_text("#answer")
    told = await site.bench.receiver.wait_status(None, "collectInfo")
    assert told.info["digitInfo"] == "1"
    # The CDR's push comes last; then the page changes no more.
    await expect(page.locator("#live tr:has-text('fee') .status.success")).to_be_visible(timeout=20 * SECONDS)
    told_of = ["callout", "alerting", "answer", "collectInfo", "disconnect", "fee"]
    await expect(page.locator("#live details.push summary")).to_have_text(told_of)
    await visitor.shoot(f"first-call-{language}")
    assert await visitor.accessibility() == []


@pytest.mark.requirement("C9")
async def test_given_the_programs_that_are_shown_when_run_then_each_of_them_makes_the_call(
    site: Site, tmp_path: Path
) -> None:
    visitor = await _prepared(site)
    page = visitor.page
    await page.select_option("[data-callee=calleeNbr]", label="Simulated: answers and presses 1")
    await page.select_option("[name=said]", "sound")
    await page.fill("[name=pushUrl]", "")
    secret = await _secret(site, Service.NOTIFICATION)
    for language, file, command in (
        ("curl", "call.sh", ["sh", "call.sh"]),
        ("python", "call.py", ["python3", "call.py"]),
        ("java", "Call.java", ["java", "Call.java"]),
        ("go", "call.go", ["go", "run", "call.go"]),
    ):
        if shutil.which(command[0]) is None:
            continue
        code = await page.text_content(f"[data-code={language}]")
        (tmp_path / file).write_text(code or "")
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=tmp_path,
            env={**os.environ, "VOICECALL_SECRET": secret},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        assert '"resultcode":"0"' in told.decode(), (language, told.decode())


@pytest.mark.requirement("C9")
@pytest.mark.parametrize(
    ("service", "outcome", "verdict"),
    [("verification", "Simulated: busy", "busy"), ("callback", "Simulated: answers and listens", "A")],
)
async def test_given_another_service_when_a_simulated_callee_is_called_then_its_end_is_told(
    site: Site, service: str, outcome: str, verdict: str
) -> None:
    visitor = await _prepared(site)
    page = visitor.page
    await visitor.go(f"/first-call?service={service}")
    for choice in await page.locator("[data-callee]").all():
        await choice.select_option(label=outcome)
    await page.click("#send")
    await page.wait_for_selector("#live [data-over]", timeout=20 * SECONDS)
    if service == "callback":
        await page.wait_for_selector("#live tr:has-text('B answers')", timeout=20 * SECONDS)
        await page.click("#stop")
    await page.wait_for_selector("#live [data-over=yes]", timeout=20 * SECONDS)
    assert verdict in await page.inner_text("#live .verdict")
    await visitor.shoot(f"first-call-{service}")


@pytest.mark.requirement("C9")
async def test_given_no_phone_when_a_call_to_it_is_asked_for_then_the_fault_stands_at_the_field(
    site: Site,
) -> None:
    visitor = await _prepared(site)
    await visitor.page.click("#send")
    assert "Switch the phone on" in await visitor.page.inner_text("[data-fault=calleeNbr]")
    await visitor.page.select_option("[data-callee=calleeNbr]", value="")
    await visitor.page.fill("[name=calleeNbr]", "139")
    await visitor.page.click("#send")
    assert "E.164" in await visitor.page.inner_text("[data-fault=calleeNbr]")


@pytest.mark.requirement("C9")
async def test_given_a_request_that_the_api_refuses_when_sent_then_it_says_so_at_the_field(
    site: Site,
) -> None:
    visitor = await _prepared(site)
    page = visitor.page
    await page.select_option("[data-callee=calleeNbr]", label="Simulated: busy")
    await page.fill("[name=collectInd]", "99")
    await page.click("#send")
    fault = page.locator("#field-collectInd-fault")
    await expect(fault).to_contain_text("Refused with 1010002")
    assert await page.evaluate("document.activeElement.name") == "collectInd"
    assert await page.get_attribute("[name=collectInd]", "aria-describedby") is not None
    await visitor.shoot("first-call-refused")
    assert await visitor.accessibility() == []

    # A number in a country that may not be called: the text names no parameter.
    await page.fill("[name=collectInd]", "1")
    await page.select_option("[data-callee=calleeNbr]", value="")
    await page.fill("[name=calleeNbr]", "+85221234567")
    await page.click("#send")
    await expect(fault).to_be_hidden()
    await expect(page.locator("#field-calleeNbr-fault")).to_contain_text("Refused with 1013112")

    await page.select_option("[data-callee=calleeNbr]", label="Simulated: busy")
    await page.click("#send")
    await page.wait_for_selector("#live [data-over=yes]", timeout=20 * SECONDS)
    await expect(page.locator("#call-form .fault:visible")).to_have_count(0)

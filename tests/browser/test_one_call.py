"""The page of one call in a real browser: live, clickable, and heard."""

import pytest
from browser.conftest import Site, opened
from integration.support import SECOND, StartBench
from playwright.async_api import Browser, expect

from controller.settings import CallSettings
from testbed.softphone_plan import Answer, Tone

PATIENT = CallSettings(ring_timeout=20, drain_timeout=0.2)
SECONDS = 1000
"""Milliseconds."""


@pytest.mark.requirement("B4", "C9")
@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
async def test_given_a_callback_when_its_page_is_open_then_it_follows_and_message_and_recording_open(
    bench: StartBench, browser: Browser, language: str, theme: str
) -> None:
    phones = {SECOND: Answer(play=Tone(900), hang_up_after=4)}
    made = await bench(Answer(play=Tone(700)), phones=phones, sections={"calls": PATIENT})
    async with opened(made, browser) as site:
        visitor = await site.visitor(language=language, theme=theme)
        await visitor.log_in()
        page = visitor.page
        session = await made.call_back(recordFlag="true")
        await made.b_answered(session)
        await visitor.go(f"/calls/{session}")
        live = "both talk" if language == "en" else "双方通话中"
        await page.wait_for_selector(f".verdict:has-text('{live}')")
        await visitor.shoot(f"{language}-{theme}-call-live")

        # Nobody reloads: the page hears of the end by itself.
        over = "B hung up" if language == "en" else "B 挂机"
        await page.wait_for_selector(f".verdict:has-text('{over}')", timeout=20 * SECONDS)
        await made.over(session, 25)

        bye = page.locator("a.to-message", has_text="BYE").first
        await bye.click()
        opened_message = page.locator("details.message[open] pre")
        await opened_message.wait_for()
        assert (await opened_message.inner_text()).startswith("BYE ")
        player = page.locator("#player")
        await player.wait_for(timeout=30 * SECONDS)
        await page.locator("svg.wave").click()
        # What arrives after the call, such as the CDR's push, makes the page anew.
        await page.wait_for_function(
            "() => { const player = document.querySelector('#player'); if (player.paused) player.play();"
            " return player.currentTime > 0.5 && document.querySelector('.playhead').getAttribute('x1') > 0 }"
        )
        await page.evaluate("document.querySelector('#player').pause()")
        await page.locator("[data-copy*='curl -X POST']").first.click()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("curl -X POST http://127.0.0.1")
        await visitor.shoot(f"{language}-{theme}-call")
        assert await visitor.accessibility() == []
        wide = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert not wide


@pytest.mark.requirement("B4", "C9")
async def test_given_a_recording_that_plays_and_an_open_detail_when_the_page_is_made_anew_then_both_go_on(
    bench: StartBench, browser: Browser
) -> None:
    phones = {SECOND: Answer(play=Tone(900), hang_up_after=6)}
    made = await bench(Answer(play=Tone(700)), phones=phones, sections={"calls": PATIENT})
    async with opened(made, browser) as site:
        visitor, colleague = await site.visitor(), await site.visitor()
        for each in (visitor, colleague):
            await each.log_in()
        page = visitor.page
        session = await made.call_back(recordFlag="true")
        statuses, _cdr = await made.over(session, 25)
        await visitor.go(f"/calls/{session}")
        # An attempt is written down some time after its push has arrived.
        attempts, before = page.locator("section[aria-labelledby=pushes] tbody tr"), len(statuses) + 1
        await expect(attempts).to_have_count(before, timeout=10 * SECONDS)
        player = page.locator("#player")
        await player.wait_for(timeout=30 * SECONDS)
        await page.click("#messages > summary")
        await page.click("#message-1 > summary")
        await page.click("#options > summary")
        await page.focus("#message-1 > summary")
        await page.evaluate("document.querySelector('.ladder-box').scrollTop = 60")
        await player.evaluate(
            "player => { player.interrupted = 0;"
            " player.onpause = player.onemptied = () => player.interrupted++;"
            " player.loop = true; return player.play(); }"
        )

        # Somebody else has it pushed again, so that there is news while it plays.
        await colleague.go(f"/calls/{session}")
        await colleague.page.click("form[action*='/pushes/'] button >> nth=0")
        await expect(colleague.page.locator(".notice[role=status]")).to_contain_text("The receiver took it")

        await expect(attempts).to_have_count(before + 1, timeout=10 * SECONDS)
        assert await player.evaluate("player => player.interrupted === 0 && !player.paused")
        await page.wait_for_function("document.querySelector('.playhead').getAttribute('x1') > 0")
        for name in ("messages", "message-1", "options"):
            assert await page.locator(f"#{name}").evaluate("box => box.open"), name
        assert await page.evaluate("document.activeElement.parentElement.id") == "message-1"
        assert await page.evaluate("document.querySelector('.ladder-box').scrollTop") == 60


@pytest.mark.requirement("C9")
async def test_given_a_call_that_goes_on_when_hang_up_is_pressed_and_confirmed_then_it_ends(
    site: Site,
) -> None:
    visitor = await site.visitor()
    await visitor.log_in()
    session = await site.bench.notify({"notifyVoice": "long.wav"})
    await site.bench.receiver.wait_status(session, "answer")
    await visitor.go(f"/calls/{session}")

    await visitor.page.click("main button.danger")
    await visitor.agree()

    statuses, _cdr = await site.bench.over(session)
    assert statuses[-1].info["stateCode"] == 8017
    await visitor.page.wait_for_selector(".verdict:has-text('ended by request')", timeout=10 * SECONDS)

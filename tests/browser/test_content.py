"""Sounds, templates and their review as people do them: a wrong file, a click, an ear, a decision."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from browser.conftest import PASSWORD, Site, Visitor
from integration.support import StartBench
from playwright.async_api import Browser, expect
from pydantic import SecretStr
from service.sounds.support import cd_quality

from controller.clock import SystemClock
from controller.management.first_run import first_administrator
from controller.settings import ManagementSettings, SpeechSettings

ACCOUNT = "test"
TEXT = "您好，您的快递${TXT_8}已到${XYZ}"


@pytest.fixture
async def speaking_site(bench: StartBench, browser: Browser) -> AsyncIterator[Site]:
    """A platform with a quick voice."""
    made = await bench(sections={"speech": SpeechSettings(engine="espeak")})
    settings = ManagementSettings(administrator_password=SecretStr(PASSWORD))
    await first_administrator(made.controller.database, settings, SystemClock())
    opened = Site(made, browser)
    yield opened
    for context in opened.contexts:
        await context.close()
    assert [complaint for visitor in opened.visitors for complaint in visitor.complaints] == []
    assert [address for visitor in opened.visitors for address in visitor.elsewhere] == []


async def _plays(visitor: Visitor, player: str) -> float:
    """Plays an audio element until it moves; returns its length in seconds."""
    audio = visitor.page.locator(player).first
    await audio.evaluate("audio => audio.play()")
    handle = await audio.element_handle()
    await visitor.page.wait_for_function("audio => audio.currentTime > 0.05", arg=handle)
    return float(await audio.evaluate("audio => audio.duration"))


@pytest.mark.requirement("C5", "C7", "C9")
async def test_given_a_wrong_file_when_uploaded_converted_heard_and_approved_then_calls_can_play_it(
    site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "Spring offer.mp3"
    cd_quality(file, 2.0)
    visitor = await site.visitor()
    page = visitor.page
    await visitor.log_in()
    await visitor.go("/sounds/new")
    await page.fill("[name=account_id]", ACCOUNT)
    await page.set_input_files("[name=file]", file)
    await page.click("form[data-upload] button")
    await expect(page.locator("#refused-file")).to_contain_text("not a WAV file")
    await visitor.shoot("content-refused")
    assert await visitor.accessibility() == []

    await page.click("form[action='/console/sounds/convert'] button")
    await page.wait_for_url(f"**/sounds/{ACCOUNT}:Spring-offer.wav")
    assert 1.9 < await _plays(visitor, "[data-sound] audio") < 2.1
    before = await page.get_attribute(".playhead", "x1")
    box = await page.locator("[data-seek]").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + 10)
    await page.wait_for_function(
        "before => document.querySelector('.playhead').getAttribute('x1') > 300", arg=before
    )
    await visitor.shoot("content-sound")
    assert await visitor.accessibility() == []
    await page.click("form[action$='/submit'] button")

    await visitor.go("/reviews")
    await expect(page.locator("tbody audio")).to_have_count(1)
    await visitor.shoot("content-queue")
    await page.click("tbody a")
    await page.click("form[action$='/approve'] button")
    await page.wait_for_url("**/console/reviews")
    await visitor.go(f"/sounds/{ACCOUNT}:Spring-offer.wav")
    for _ in range(50):
        if await page.get_by_text("every node plays it").count():
            break
        await page.reload()
    await expect(page.get_by_text("every node plays it")).to_be_visible()
    session = await site.bench.notify({"notifyVoice": "Spring-offer.wav"})
    await site.bench.over(session)


@pytest.mark.requirement("C6", "C9")
async def test_given_a_text_when_typed_then_its_variables_are_marked_its_bytes_counted_and_it_is_heard(
    speaking_site: Site,
) -> None:
    visitor = await speaking_site.visitor(language="zh-CN")
    page = visitor.page
    await visitor.log_in()
    await visitor.go("/templates/new")
    await page.fill("[name=account_id]", ACCOUNT)
    await page.fill("[name=template_id]", "parcel")
    await page.locator("#field-text").press_sequentially(TEXT)
    marks = page.locator(".behind mark")
    await expect(marks).to_have_text(["${TXT_8}", "${XYZ}"])
    await expect(page.locator(".behind mark.unknown")).to_have_text(["${XYZ}"])
    await expect(page.locator("[data-counter]")).to_contain_text(f"{len(TEXT.encode())} / 900")
    await expect(page.locator("#check .fault")).to_contain_text("${XYZ}")
    await visitor.shoot("content-editor")
    assert await visitor.accessibility() == []

    await page.fill("#field-text", TEXT.replace("${XYZ}", "。"))
    await expect(page.locator("#check [name=value]")).to_have_value("示例内容")
    await page.fill("#check [name=value]", "东门")
    await page.click("[data-preview]")
    await expect(page.locator("[data-heard]")).to_be_visible(timeout=20_000)
    assert await _plays(visitor, "[data-heard] audio") > 1
    await page.click("button.primary:has-text('保存')")
    await page.wait_for_url(f"**/templates/{ACCOUNT}:parcel")
    # The layers behind one another fit: what is marked is where it is written.
    same = await page.evaluate(
        "[...document.querySelectorAll('.editor textarea, .editor .behind')]"
        ".map(one => getComputedStyle(one)).map(one => [one.font, one.padding, one.letterSpacing].join())"
    )
    assert same[0] == same[1]
    await visitor.shoot("content-template")


@pytest.mark.requirement("C8", "C9")
async def test_given_the_kill_switch_when_pulled_in_the_browser_then_no_call_is_made_until_it_is_taken_back(
    site: Site,
) -> None:
    visitor = await site.visitor()
    page = visitor.page
    await visitor.log_in()
    await visitor.go("/spending/stop")
    await page.fill("[name=confirm]", "STOP")
    await page.click("main button.danger")
    await page.wait_for_url("**/console/spending")
    await visitor.shoot("content-stopped")
    assert await visitor.accessibility() == []
    refused = await site.bench.client.notify(site.bench.request())
    assert refused.code == "1010001"
    await page.click("form[action='/console/spending/resume'] button")
    await visitor.agree()
    await expect(page.get_by_text("Calls are made again.")).to_be_visible()
    await site.bench.over(await site.bench.notify())

"""A second factor: set up by its picture, asked for at the next login."""

import re
import time

import pyotp
import pytest
from browser.conftest import PASSWORD, Site, Visitor
from playwright.async_api import expect

STEP = 1_000_000
"""Seconds that a code is of here: two codes are used one after the other, and nobody waits for the second."""
CORNER = """
picture => {
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = picture.naturalWidth;
  const drawing = canvas.getContext('2d');
  drawing.drawImage(picture, 0, 0);
  return [...drawing.getImageData(1, 1, 1, 1).data];
}
"""


def _code(secret: str, *, steps_ago: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(int(time.time()) // STEP - steps_ago)


async def _log_in(visitor: Visitor, code: str) -> None:
    await visitor.go("/login")
    await visitor.page.fill("[name=login]", "admin")
    await visitor.page.fill("[name=password]", PASSWORD)
    await visitor.page.fill("[name=code]", code)
    await visitor.page.click("main button.primary")


@pytest.mark.requirement("C1", "C9")
@pytest.mark.parametrize(
    ("language", "theme", "width"), [("en", "light", 1280), ("zh-CN", "dark", 1280), ("en", "dark", 390)]
)
async def test_given_a_second_factor_when_set_up_by_its_picture_then_the_next_login_wants_its_code(
    site: Site, monkeypatch: pytest.MonkeyPatch, language: str, theme: str, width: int
) -> None:
    monkeypatch.setattr("controller.management.second_factor._STEP", STEP)
    visitor = await site.visitor(language=language, theme=theme, width=width)
    page = visitor.page
    await visitor.log_in()
    await visitor.go("/me")
    await page.click("main a[href='/console/me/second-factor']")
    await page.fill("[name=password]", "not the password")
    await page.click("main form .primary")
    await expect(page.locator("#field-password-fault")).to_have_count(1)

    await page.fill("[name=password]", PASSWORD)
    await page.click("main form .primary")
    picture = page.locator("main img")
    await expect(picture).to_be_visible()
    assert await picture.evaluate(CORNER) == [255, 255, 255, 255]
    assert await visitor.accessibility() == []
    assert not await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    await visitor.shoot(f"second-factor-{language}-{theme}-{width}")
    secret = await page.locator("main [data-copy]").get_attribute("data-copy")
    assert secret is not None

    code = _code(secret, steps_ago=1)
    # As apps show it.
    await page.fill("[name=code]", f"{code[:3]} {code[3:]}")
    await page.click("main form .primary")
    await page.wait_for_url(re.compile("/console/me$"))
    await page.click(".user-menu summary")
    await page.click("form[action='/console/logout'] button")
    await page.wait_for_url("**/console/login")

    await _log_in(visitor, "")
    await expect(page.locator(".fault.whole")).to_be_visible()
    await _log_in(visitor, code)
    await expect(page.locator(".fault.whole")).to_be_visible()
    await _log_in(visitor, _code(secret))
    await page.wait_for_url("**/console/first-call")
    await visitor.go("/me")
    await visitor.shoot(f"second-factor-set-up-{language}-{theme}-{width}")

"""Sessions that are over, two who change the same thing, and names that would like to be programs."""

from urllib.parse import quote

import pytest
from browser.conftest import PASSWORD, Site
from integration.support import APP_KEY, CALLED
from playwright.async_api import Dialog, expect

EDIT = f"/applications/{APP_KEY}/edit"
HOSTILE = (
    "<script>alert(1)</script>{{ 7 * 7 }}${alert(1)}",
    "\"><img src=x onerror=alert(1)>'-alert(1)-'",
)


@pytest.mark.requirement("C9")
async def test_given_a_session_that_is_over_when_a_page_is_opened_then_one_logs_in_and_is_there(
    site: Site,
) -> None:
    visitor = await site.visitor()
    page = visitor.page
    await visitor.log_in()
    await visitor.go(EDIT)
    elsewhere = await page.context.new_page()
    await elsewhere.goto(f"{visitor.url}/console/me")
    await elsewhere.click(".user-menu summary")
    await elsewhere.click("form[action='/console/logout'] button")
    await elsewhere.wait_for_url("**/console/login")
    await elsewhere.close()

    await visitor.go("/calls?callee=1390000&service=callback")
    await page.wait_for_url("**/console/login?then=*")
    await page.fill("[name=login]", "admin")
    await page.fill("[name=password]", "not the password")
    await page.click("main button.primary")
    await expect(page.locator(".fault.whole")).to_have_text("Name, password or code is wrong.")
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button.primary")
    await page.wait_for_url("**/console/calls?callee=1390000&service=callback")
    await expect(page.locator("main [name=callee]")).to_have_value("1390000")


@pytest.mark.requirement("C9")
async def test_given_a_page_that_is_left_open_when_the_session_is_over_then_it_leads_to_the_login_and_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.console.live._LIFETIME", 1.0)
    visitor = await site.visitor()
    page = visitor.page
    await visitor.log_in()
    await visitor.go("/dashboard")
    await page.context.clear_cookies()
    await page.wait_for_url("**/console/login?then=*")
    await page.fill("[name=login]", "admin")
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button.primary")
    await page.wait_for_url("**/console/dashboard")


@pytest.mark.requirement("C9")
async def test_given_a_form_that_is_sent_when_the_session_is_over_then_what_was_typed_is_there_again(
    site: Site,
) -> None:
    visitor = await site.visitor()
    page = visitor.page
    await visitor.log_in()
    await visitor.go(EDIT)
    await page.context.clear_cookies()
    await page.fill("main [name=name]", "Not saved yet")
    await page.check("main [name=recording]")
    await page.click("main form.form button.primary")
    await page.wait_for_url("**/console/login?then=*")
    await page.fill("[name=login]", "admin")
    await page.fill("[name=password]", PASSWORD)
    await page.click("main button.primary")
    await page.wait_for_url(f"**/console{EDIT}")
    await expect(page.locator("main [name=name]")).to_have_value("Not saved yet")
    await expect(page.locator("main [name=recording]")).to_be_checked()
    await expect(page.locator("#typed-again")).to_be_visible()
    await page.reload()
    await expect(page.locator("main [name=name]")).not_to_have_value("Not saved yet")
    await expect(page.locator("#typed-again")).to_be_hidden()


@pytest.mark.requirement("C9")
async def test_given_two_who_change_the_same_when_both_save_then_the_second_is_told_and_keeps_all(
    site: Site,
) -> None:
    first, second = await site.visitor(), await site.visitor()
    for visitor in (first, second):
        await visitor.log_in()
        await visitor.go(EDIT)
    await first.page.fill("main [name=name]", "First")
    await first.page.click("main form.form button.primary")
    await first.page.wait_for_url(f"**/console/applications/{APP_KEY}")

    page = second.page
    await page.fill("main [name=name]", "Second")
    await page.fill("main [name=max_calls]", "7")
    await page.click("main form.form button.primary")
    fault = page.locator(".fault.whole")
    await expect(fault).to_contain_text("Somebody else has changed this meanwhile.")
    await expect(page.locator("main [name=name]")).to_have_value("Second")
    await expect(page.locator("main [name=max_calls]")).to_have_value("7")
    await second.shoot("conflict")
    assert await second.accessibility() == []

    # Sent once more, unseen, it is refused as well: nobody's work is lost by a second click.
    await page.click("main form.form button.primary")
    await expect(fault).to_contain_text("Somebody else has changed this meanwhile.")
    await second.go(EDIT)
    await expect(page.locator("main [name=name]")).to_have_value("First")
    await page.fill("main [name=name]", "Second")
    await page.click("main form.form button.primary")
    await expect(page.locator("h1")).to_have_text("Second")


@pytest.mark.requirement("C9")
@pytest.mark.parametrize(("language", "theme"), [("en", "light"), ("zh-CN", "dark")])
async def test_given_what_cannot_be_undone_when_pressed_then_its_name_must_be_typed(
    site: Site, language: str, theme: str
) -> None:
    visitor = await site.visitor(language=language, theme=theme)
    page = visitor.page
    await visitor.log_in()
    await visitor.go(f"/routes/{quote(CALLED)}")
    await page.click("main button.danger")
    await expect(page.locator("#ask")).to_be_visible()
    await page.keyboard.type("something else")
    await page.keyboard.press("Enter")
    await expect(page.locator("#ask-fault")).to_be_visible()
    await visitor.shoot(f"{language}-{theme}-question")
    assert await visitor.accessibility() == []
    await page.keyboard.press("Escape")
    await expect(page.locator("#ask")).to_be_hidden()
    assert page.url.endswith(f"/console/routes/{quote(CALLED)}")

    await page.click("main button.danger")
    await visitor.agree(CALLED)
    await page.wait_for_url("**/console/trunks")
    await expect(page.locator("main")).not_to_contain_text(CALLED)


@pytest.mark.requirement("C9")
@pytest.mark.parametrize("name", HOSTILE)
async def test_given_a_hostile_name_when_shown_anywhere_then_it_is_text_and_nothing_of_it_runs(
    site: Site, name: str
) -> None:
    visitor = await site.visitor()
    page = visitor.page
    dialogs: list[str] = []

    async def opened(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        await dialog.dismiss()

    page.on("dialog", opened)
    await visitor.log_in()
    await visitor.go(EDIT)
    await page.fill("main [name=name]", name)
    await page.click("main form.form button.primary")
    await expect(page.locator("h1")).to_have_text(name)
    await visitor.go("/accounts/test/edit")
    await page.fill("main [name=name]", name)
    await page.click("main form.form button.primary")
    await expect(page.locator("main")).to_contain_text(name)
    session = await site.bench.notify(userData=name.translate(str.maketrans("{}", "()")))
    await site.bench.over(session)
    for path in (
        "/applications",
        "/accounts",
        "/first-call",
        EDIT,
        "/audit",
        "/numbers/new",
        "/calls",
        "/live",
    ):
        answer = await page.goto(f"{visitor.url}/console{path}", wait_until="load")
        assert answer is not None
        assert answer.status == 200
        assert "script-src" in answer.headers["content-security-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
    for path in ("/applications", "/accounts"):
        await visitor.go(path)
        await expect(page.locator("tbody")).to_contain_text(name)
    await visitor.go("/calls")
    await page.click("tbody a")
    await page.fill("header [name=text]", name)
    await page.press("header [name=text]", "Enter")
    await page.wait_for_url("**/console/calls?text=*")
    assert await page.locator("main img, main script, header img, header script").count() == 0
    assert dialogs == []

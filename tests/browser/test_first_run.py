"""From the first start to calls that were heard, found and played again, by the console alone."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from browser.conftest import SCREENSHOTS, Site, Visitor, opened
from integration.support import Bench
from playwright.async_api import Browser, FloatRect, expect
from service.sounds.support import cd_quality

from controller.console.words import translations
from controller.settings import CallSettings
from testbed.asterisk import AsteriskProgram
from testbed.listening import load_wav, tone_stretches
from testbed.platform import platform
from testbed.push_receiver import PushReceiver
from testbed.softphone import Softphone
from testbed.softphone_plan import Answer, Digits, Tone

FIRST, SECOND = "+8613900001111", "+8613900002222"
SHOWN = "+8657126880001"
ACCOUNT = "acme"
COMPANY = "云帆科技 <b>Cloud & Sail</b>"
"""A name as people have them, and as nobody should."""
SOUND = "Spring-offer.wav"
TONE = 440.0
"""Hz, of the sound file."""
PDF = b"%PDF-1.4\n1 0 obj\n<< >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
SECONDS = 1000
"""Milliseconds."""
PICTURE: FloatRect = {"x": 0, "y": 0, "width": 1280, "height": 680}
"""Of a page in the documents: less than 150 kB."""

PATIENT = CallSettings(ring_timeout=20, first_digit_timeout=5, inter_digit_timeout=1, drain_timeout=0.2)


@pytest.fixture
async def site(tmp_path: Path, program: AsteriskProgram, browser: Browser) -> AsyncIterator[Site]:
    """A platform in which nothing was declared, and two phones that nobody has told it of."""
    async with AsyncExitStack() as stack:
        home = await stack.enter_async_context(platform(tmp_path, program, {"calls": PATIENT}))
        receiver = await stack.enter_async_context(PushReceiver.start())
        plans = {
            # It rings long enough for somebody to see that, on a busy machine as well.
            FIRST: Answer(after=3.0, digits=(Digits("1", after=1.5),), play=Tone(600)),
            SECOND: Answer(after=0.5, play=Tone(700), hang_up_after=4.0),
        }
        phones = {
            number: await stack.enter_async_context(
                Softphone.start(plan=plan, directory=tmp_path / f"phone{index}")
            )
            for index, (number, plan) in enumerate(plans.items())
        }
        bench = Bench(home, receiver, phones, stack)
        await bench.start_controller()
        yield await stack.enter_async_context(opened(bench, browser))


class Person:
    """The first administrator at work, in a language."""

    def __init__(self, site: Site, visitor: Visitor, language: str, directory: Path) -> None:
        self.site = site
        self.visitor = visitor
        self.page = visitor.page
        self.language = language
        self.say = translations(language).gettext
        self.directory = directory

    async def press(self, message: str) -> None:
        """The button or link in the main part of the page that says this."""
        its = re.compile(f"^{re.escape(self.say(message))}( …)?$")
        main = self.page.locator("main")
        await main.get_by_role("button", name=its).or_(main.get_by_role("link", name=its)).first.click()

    async def told(self, message: str) -> None:
        """The page that comes tells this."""
        await expect(self.page.locator(".notice[role=status]")).to_contain_text(self.say(message))

    async def fill(self, **values: str) -> None:
        """Fields by name; `__` stands for a dot."""
        for name, value in values.items():
            field = self.page.locator(f"main [name='{name.replace('__', '.')}']").first
            if await field.evaluate("field => field.tagName") == "SELECT":
                await field.select_option(value)
            else:
                await field.fill(value)

    async def account(self) -> None:
        await self.visitor.go("/accounts")
        await self.press("New account")
        await self.fill(id=ACCOUNT, name=COMPANY, calls_per_second="0")
        await self.press("Create")
        await self.told("The account is there. Give it users, an application and a number.")

    async def enterprise(self) -> None:
        """Incomplete first: what is missing is marked. Then complete, submitted and approved."""
        page = self.page
        await self.visitor.go("/enterprises")
        await self.press("New enterprise")
        await self.fill(account_id=ACCOUNT, full_name=COMPANY)
        await self.press("Create")
        await self.press("Submit it")
        await expect(page.locator(".fault.whole")).to_contain_text(
            self.say("It can't be submitted yet: what is missing is marked below.")
        )
        assert await page.locator("dd .fault").count() >= 5
        await self.press("Edit")
        await self.fill(
            code="91330100MA00000000",
            phone="+8657188880000",
            legal_representative="王伟",
            scenario="Parcels that wait are announced",
            script="Your parcel has come",
            calls_per_day="200",
            peak_calls="2",
            handler_name="李娜",
            handler_phone="+8613900009999",
            handler_address="Hangzhou",
        )
        await self.press("Save")
        file = self.directory / "document.pdf"
        file.write_bytes(PDF)
        forms = page.locator("#documents form")
        for index in range(await forms.count()):
            await forms.nth(index).locator("[type=file]").set_input_files(file)
            await forms.nth(index).locator("button").click()
            await self.told("The document is uploaded.")
        await self.press("Submit it")
        await self.told("It is submitted. The operator looks at it now.")
        await self.press("Approve it")
        await self.told("The qualification is approved.")

    async def application(self, service: str, name: str) -> None:
        page = self.page
        await self.visitor.go("/applications")
        await self.press("New application")
        await self.fill(account_id=ACCOUNT, name=name, service=service)
        if service == "callback":
            await page.check("main [name=recording]")
        await self.press("Create")
        await expect(page.locator("main .notice")).to_contain_text(
            self.say("Copy the secret now: it is not shown again. It can only be renewed.")
        )
        assert await page.locator("main dd code").count() == 2
        await self.press("I have copied it")
        await expect(page.locator("h1")).to_have_text(name)

    async def number(self) -> None:
        await self.visitor.go("/numbers")
        await self.press("Order a number")
        await self.fill(account_id=ACCOUNT, number=SHOWN)
        await self.press("Order")
        await self.told("The number is ordered. Calls can show it when it is allotted.")
        await self.press("Allot it")
        await self.visitor.agree()
        await self.told("The number is allotted: calls can show it from now on.")

    async def routes(self) -> None:
        """To each phone; in the field these lead to a trunk."""
        for number, phone in self.site.bench.phones.items():
            await self.visitor.go("/trunks")
            await self.press("New route")
            await self.fill(prefix=number, contact=f"sip:{{number}}@{phone.contact.removeprefix('sip:')}")
            await self.press("Create")
            await self.told("The route is there. It is in force within a second.")

    async def sound(self) -> None:
        """A wrong file: the fault is told, the button beside it converts, the queue approves."""
        page = self.page
        file = self.directory / "Spring offer.mp3"
        cd_quality(file, 2.0, TONE)
        await self.visitor.go("/sounds/new")
        await self.fill(account_id=ACCOUNT)
        await page.set_input_files("[name=file]", file)
        await self.press("Upload it")
        refused = page.locator("#refused-file")
        await expect(refused).to_contain_text("WAV")
        if self.language != "en":
            assert re.search("[一-鿿]", await refused.inner_text())
        await self.press("Convert it")
        await self.told("It is converted, and a draft: hear it, then submit it for review.")
        await self.plays("[data-sound] audio")
        await self.press("Submit for review")
        await self.visitor.go("/reviews")
        await page.click(f"tbody a:has-text('{SOUND}')")
        await self.press("Approve")
        await page.wait_for_url("**/console/reviews")

    async def plays(self, player: str) -> None:
        """An audio element, until it has moved."""
        audio = self.page.locator(player).first
        await audio.evaluate("audio => audio.play()")
        handle = await audio.element_handle()
        await self.page.wait_for_function("audio => audio.currentTime > 0.3", arg=handle)

    async def call(self, service: str, **callees: str) -> str:
        """Ask for a call on the page for that, and watch it until its end; returns its session id."""
        page = self.page
        await self.visitor.go(f"/first-call?service={service}")
        if service == "callback":
            await page.check("[name=recordFlag]")
        else:
            # A node has to show that it plays a sound, which takes a moment after its approval.
            await self.visitor.reload_until(f"[name=notifyVoice] option[value='{SOUND}']")
            await page.select_option("[name=said]", "sound")
            await page.select_option("[name=notifyVoice]", SOUND)
        for name, number in callees.items():
            await page.select_option(f"[data-callee={name}]", value="")
            await page.fill(f"[name={name}]", number)
        await page.fill("[name=pushUrl]", self.site.bench.receiver.url("/told"))
        await page.click("#send")
        await expect(page.locator("#answer")).to_contain_text('"resultcode": "0"', timeout=20 * SECONDS)
        # What happens is seen while it happens, not only when all is over.
        await page.wait_for_selector("#live [data-over=no]", timeout=20 * SECONDS)
        await page.wait_for_selector("#live [data-over=yes]", timeout=30 * SECONDS)
        await expect(page.locator("#live .status").first).to_contain_text("stateCode 0")
        await self.shoot(f"called-{service}")
        if service == "notification":
            await self.picture("first-call")
        return await page.locator("#live code.id").first.inner_text()

    async def find(self, part: str, session: str) -> None:
        """Find a call in the list by a part of a number, and open it."""
        page = self.page
        await self.visitor.go("/")
        await page.keyboard.press("/")
        await page.keyboard.type(part)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/console/calls?text=*")
        line = page.locator(f"tbody tr[data-open*='{session.partition('@')[0]}']")
        await self.shoot("found")
        await expect(line).to_have_count(1)
        await self.picture("calls")
        await line.locator("a").first.click()
        await page.wait_for_url("**/console/calls/*")
        await expect(page.locator("main .verdict").first).not_to_be_empty()

    async def shoot(self, name: str) -> None:
        await self.visitor.shoot(f"first-run-{self.language}-{name}")

    async def picture(self, name: str) -> None:
        """For the documents: see `make pictures`."""
        if self.language == "en":
            await self.page.evaluate("scrollTo(0, 0)")
            await self.page.screenshot(path=SCREENSHOTS / f"docs-{name}.png", clip=PICTURE)


@pytest.mark.requirement("C2", "C3", "C4", "C5", "C7", "C9", "E1")
@pytest.mark.parametrize("language", ["en", "zh-CN"])
async def test_given_a_first_start_when_all_is_done_in_the_console_then_calls_are_heard_found_and_played(
    site: Site, tmp_path: Path, language: str
) -> None:
    visitor = await site.visitor(language=language)
    person = Person(site, visitor, language, tmp_path)
    await visitor.log_in()
    await person.account()
    await person.enterprise()
    await person.application("notification", "Parcels")
    await person.application("callback", "Sales")
    await person.number()
    await person.routes()
    await person.sound()

    session = await person.call("notification", calleeNbr=FIRST)
    call = await site.bench.phones[FIRST].next_call()
    heard = tone_stretches(load_wav(await call.recorded()), TONE)
    assert sum(stretch.end - stretch.start for stretch in heard) > 1.0
    pushed = await site.bench.receiver.wait_status(session, "collectInfo")
    assert pushed.info["digitInfo"] == "1"
    await person.find(FIRST[-8:], session)
    await person.shoot("one-call")

    session = await person.call("callback", callerNbr=FIRST, calleeNbr=SECOND)
    await person.find(SECOND[-8:], session)
    # It is fetched from the node a moment after the end.
    await visitor.reload_until("audio#player")
    await person.plays("audio#player")
    await person.shoot("one-callback")
    await person.picture("one-call")

"""Every page that is declared, whoever declared it: as each role, of either side, in each language.

A new page is tested here by being declared; a new parameter of a path needs a specimen, or a word here.
"""

import re
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from service.console.conftest import Browser, browser
from service.management.specimens import SPECIMENS
from service.management.world import ALPHA, OPERATOR, World

from controller.console.pages.catalogue import PAGES
from controller.console.words import LANGUAGES
from controller.management.roles import Role
from controller.store.enterprise_tables import DocumentKind

PARAMETERS = {"kind": DocumentKind.LICENCE.value, "deed": "top-up"}
"""Of paths, which name no thing."""
OURS = {
    *(
        "voicecall",
        "alpha",
        "beta",
        "test",
        "API",
        "CDR",
        "CDRs",
        "Webhook",
        "Standard",
        "Webhooks",
        "Asterisk",
    ),
    *(
        "SIP",
        "OPTIONS",
        "UTC",
        "PDF",
        "JPEG",
        "PNG",
        "JSON",
        "Base",
        "curl",
        "Python",
        "Java",
        "Go",
        "WAV",
        "Id",
    ),
    *("wav", "Hz", "Ogg", "FLAC", "CSV", "CNY", "STOP", "none", "templateId", "notifyVoice", "preVoice"),
    *("sessionId", "IP", "URL", "kB", "MB", "HEP", "SVG", "pcap", "TOTP", "WebRTC", "https", "http"),
}
"""Words that are the same in every language, and data of the world's."""
_SILENT = {"code", "pre", "kbd", "script", "style", "option"}
_SPOKEN = ("title", "placeholder", "aria-label")
_PARAMETER = re.compile(r"{(\w+)(?::([^}]*))?}")
_WORD = re.compile(r"[A-Za-z]{2,}")


class _Read(HTMLParser):
    """What a page says to people."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in _SILENT or (given.get("lang") and tag != "html"):
            self._silent.append(tag)
        self.said += [given[name] or "" for name in _SPOKEN if name in given and tag not in _SILENT]

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.said.append(data)


def said(page: str) -> list[str]:
    """The texts of a page, without code."""
    reader = _Read()
    reader.feed(page)
    return [text.strip() for text in reader.said if text.strip()]


def english(page: str) -> list[str]:
    """What is said in English, beside names that are the same everywhere and what stands in quotes."""
    return [
        text
        for text in said(page)
        for token in re.split(r"[\s，。、；：（）“”]+", text)
        if _WORD.fullmatch(word := token.strip(".,:;()?!·…*/#")) and word not in OURS
    ]


def _filled(parameter: str, choices: str | None, ids: dict[str, str]) -> str:
    """What stands in a path: an id, or the first of the words that can stand there."""
    return choices.split("|")[0] if choices and parameter not in ids else quote(ids[parameter], safe="")


async def _fill(here: World) -> dict[str, str]:
    """One thing of each kind; ids by the path's parameter."""
    ids: dict[str, str] = dict(PARAMETERS)
    for parameter, make in SPECIMENS.items():
        ids[parameter] = await here.write(lambda session, make=make: make(session))
    return ids


async def _read(visitor: Browser, path: str) -> tuple[int, str]:
    """Status and text of a page; of what is no page, its status alone."""
    cookies = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    async with visitor.here.http.get(
        "/console" + path, headers={"Cookie": cookies}, allow_redirects=False
    ) as answer:
        return answer.status, await answer.text() if answer.content_type == "text/html" else ""


@pytest.mark.requirement("C9")
@pytest.mark.parametrize("of", [OPERATOR, ALPHA], ids=["operator", "account"])
@pytest.mark.parametrize("role", list(Role))
async def test_given_every_page_when_opened_in_each_language_then_it_is_whole_and_speaks_it(
    here: World, role: Role, of: str | None
) -> None:
    ids = await _fill(here)
    visitor = await browser(here, role, of)
    faults: list[str] = []
    opened = 0
    for page in PAGES:
        if page.method != "GET":
            continue
        path = _PARAMETER.sub(lambda found: _filled(found[1], found[2], ids), page.path)
        for language in LANGUAGES:
            visitor.cookies["voicecall-language"] = language
            status, text = await _read(visitor, path)
            opened += status == 200
            if status >= 500 or (status == 404 and not page.path.endswith("/download")):
                faults.append(f"{path} {language}: {status}")
            if nothing := [one for one in said(text) if re.search(r"\bNone\b", one)]:
                faults.append(f"{path} {language}: {nothing}")
            if language != "en" and (left := english(text)):
                faults.append(f"{path} {language}: {left}")
    assert not faults, chr(10).join(faults)
    assert opened > 2 * 10


_ACT = re.compile(r'<form class="act"([^>]*)>(.*?)</form>', re.DOTALL)
_FOR_GOOD = re.compile(r'action="[^"]*/(delete|revoke|remove|release)"')


@pytest.mark.requirement("C9")
async def test_given_every_page_when_a_button_does_harm_then_it_asks_and_what_is_gone_for_good_is_typed(
    here: World,
) -> None:
    ids = await _fill(here)
    visitor = await browser(here, Role.ADMINISTRATOR, OPERATOR)
    harmful, for_good, silent = set[str](), set[str](), set[str]()
    for page in PAGES:
        if page.method != "GET":
            continue
        path = _PARAMETER.sub(lambda found: _filled(found[1], found[2], ids), page.path)
        _, text = await _read(visitor, path)
        for opening, inside in _ACT.findall(text):
            gone = _FOR_GOOD.search(opening)
            if 'class="danger"' in inside:
                harmful.add(page.path)
                if "data-question=" not in opening:
                    silent.add(f"{page.path}: {opening}")
            if gone:
                for_good.add(gone[1])
                if not re.search(r'data-confirm="[^"]', opening) or 'class="danger"' not in inside:
                    silent.add(f"{page.path}: {opening}")
    assert silent == set()
    assert len(harmful) >= 6
    assert {"delete", "revoke"} <= for_good

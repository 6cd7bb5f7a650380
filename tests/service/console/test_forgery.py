"""Forms of other people's pages, and markup in what people name things: every page that is declared."""

from collections.abc import Mapping

import pytest
from service.console.conftest import Browser, browser
from service.console.test_every_page import _PARAMETER, _fill, _filled, _read
from service.management.world import OPERATOR, World
from sqlmodel import Session, SQLModel
from sqlmodel.sql.sqltypes import AutoString

from controller.api.remote import Remote
from controller.console.pages.catalogue import PAGES
from controller.management.roles import Role

MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
_OF_NOBODY = ("audit_entry", "timeline_entry")
"""What the platform writes alone."""
_TEXTS = ("name", "full_name", "description", "remark", "reason", "text", "reply")


def _paths(ids: Mapping[str, str], method: str) -> dict[str, str]:
    return {
        page.path: _PARAMETER.sub(lambda found: _filled(found[1], found[2], dict(ids)), page.path)
        for page in PAGES
        # Those with a file are sent in another form: test_sounds.py, test_enterprises.py.
        if page.method == method and not page.takes_file
    }


@pytest.mark.requirement("C9")
async def test_C9_given_every_form_when_sent_without_the_sessions_token_then_nothing_is_done(
    here: World, admin: Browser
) -> None:
    ids = await _fill(here)
    answers = {}
    for declared, path in _paths(ids, "POST").items():
        for token in ({}, {"csrf": "0" * 64}):
            shown = await admin.post(path, {"name": "forged", **token})
            answers[declared, len(token)] = shown.status

    assert {path: status for (path, _token), status in answers.items() if status != 403} == {}
    assert len(answers) > 100


@pytest.mark.requirement("C9")
async def test_C9_given_every_form_when_sent_from_a_page_of_another_site_then_nothing_is_done(
    here: World, admin: Browser
) -> None:
    ids = await _fill(here)
    token = (await admin.get("/me")).text.partition('name="csrf" value="')[2].partition('"')[0]
    assert token
    for declared, path in _paths(ids, "POST").items():
        for origin in ("https://evil.example", "null"):
            shown = await admin.post(path, {"csrf": token}, Origin=origin)
            assert shown.status == 403, declared


@pytest.mark.requirement("C9")
async def test_C9_given_markup_in_every_text_that_people_give_when_pages_are_shown_then_none_is_markup(
    here: World,
) -> None:
    ids = await _fill(here)

    def mark(session: Session) -> int:
        marked = 0
        for table in SQLModel.metadata.sorted_tables:
            for name in _TEXTS:
                column = table.columns.get(name)
                if column is None or column.primary_key or column.unique or column.foreign_keys:
                    continue
                if not isinstance(column.type, AutoString) or table.name in _OF_NOBODY:
                    continue
                session.execute(table.update().values({name: MARKUP}))
                marked += 1
        return marked

    assert await here.write(mark) >= 4
    visitor = await browser(here, Role.ADMINISTRATOR, OPERATOR)
    shown = 0
    for declared, path in _paths(ids, "GET").items():
        _status, text = await _read(visitor, path)
        assert "<script>alert(1)" not in text, declared
        assert "<img src=x" not in text, declared
        shown += "&lt;script&gt;alert(1)" in text
    assert shown >= 3


@pytest.mark.requirement("C9")
async def test_C9_given_https_when_a_page_is_served_then_browsers_come_no_other_way_any_more(
    here: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = await Browser(here).get("/login")
    monkeypatch.setattr(Remote, "base_url", lambda _self, _request: "https://voicecall.example")
    secure = await Browser(here).get("/login")

    assert "Strict-Transport-Security" not in plain.headers
    assert secure.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"

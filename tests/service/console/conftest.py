"""A browser without scripts in a world of the management API's tests."""

import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest
from service.management.world import OPERATOR, World, user_id, world

from controller.management.passwords import digest
from controller.management.roles import Role
from controller.store.management_tables import LoginSession

Typed = Mapping[str, str | list[str] | None]


class _Forms(HTMLParser):
    """What a page's forms hold before somebody types, by the form's action."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, list[tuple[str, str]]] = {}
        self._now: list[tuple[str, str]] = []
        self._text: str | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self._now = self.forms.setdefault(given.get("action") or "", [])
        elif tag == "input" and (
            given.get("type") not in ("checkbox", "radio", "file") or "checked" in given
        ):
            self._now.append((name, given.get("value", "on") or ""))
        elif tag == "textarea":
            self._text = name
            self._now.append((name, ""))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select is not None:
            chosen = [one for one in self._now if one[0] == self._select]
            if not chosen:
                self._now.append((self._select, value))
            elif "selected" in given:
                self._now[self._now.index(chosen[0])] = (self._select, value)

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            name, before = self._now[-1]
            self._now[-1] = (name, before + data)


@dataclass
class Shown:
    """A page."""

    status: int
    headers: aiohttp.typedefs.LooseHeaders
    text: str
    place: str = ""
    """Where a redirect leads."""


@dataclass
class Browser:
    """Somebody's browser."""

    here: World
    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, **headers: str) -> Shown:
        return await self._ask("GET", path, None, headers)

    async def raw(self, path: str) -> bytes:
        """A file that is no text."""
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        async with self.here.http.get("/console" + path, headers=sent) as answer:
            return await answer.read()

    async def post(self, path: str, data: Typed, **headers: str) -> Shown:
        """Send a form as it is, without what its page holds."""
        return await self._ask("POST", path, aiohttp.FormData(_pairs(data)), headers)

    async def fill(self, page: str, action: str, data: Typed, **headers: str) -> Shown:
        """Fill in the form with this action on that page, and send it; None takes a field away."""
        return await self.answer(await self.get(page), action, data, **headers)

    async def answer(self, shown: Shown, action: str, data: Typed, **headers: str) -> Shown:
        """Fill in the form with this action on a page that is shown, and send it."""
        return await self._ask("POST", action, aiohttp.FormData(_typed(shown, action, data)), headers)

    async def upload(
        self,
        page: str,
        action: str,
        data: Typed,
        name: str,
        content: bytes,
        media_type: str = "application/octet-stream",
        **headers: str,
    ) -> Shown:
        """Fill in the form with this action on that page, choose a file, and send it."""
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for field_name, value in _typed(await self.get(page), action, data):
            form.add_field(field_name, value)
        form.add_field("file", io.BytesIO(content), filename=name, content_type=media_type)
        return await self._ask("POST", action, form, headers)

    async def _ask(
        self, method: str, path: str, data: aiohttp.FormData | None, headers: dict[str, str]
    ) -> Shown:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        async with self.here.http.request(
            method, "/console" + path, data=data, headers=sent, allow_redirects=False
        ) as answer:
            for name, morsel in answer.cookies.items():
                self.cookies[name] = morsel.value
            return Shown(
                answer.status, answer.headers, await answer.text(), answer.headers.get("Location", "")
            )


def hidden_of(shown: Shown, action: str) -> dict[str, str]:
    """What the form with this action on a page holds before somebody types."""
    return dict(_typed(shown, action, {}))


def _typed(shown: Shown, action: str, data: Typed) -> list[tuple[str, str]]:
    forms = _Forms()
    forms.feed(shown.text)
    assert "/console" + action in forms.forms, (shown.status, list(forms.forms))
    held = [one for one in forms.forms["/console" + action] if one[0] not in data]
    return [*held, *_pairs(data)]


def _pairs(data: Typed) -> list[tuple[str, str]]:
    return [
        (name, one)
        for name, value in data.items()
        if value is not None
        for one in ([value] if isinstance(value, str) else value)
    ]


async def browser(here: World, role: Role, of: str | None = OPERATOR) -> Browser:
    """The browser of the user with this role in this account, logged in."""
    cookie = f"session-{role}-{of or 'operator'}"

    def begin(session: object) -> None:
        session.merge(  # type: ignore[attr-defined]
            LoginSession(
                digest=digest(cookie),
                user_id=user_id(role, of),
                address="127.0.0.1",
                expires_at=here.clock.now().replace(year=2030),
            )
        )

    await here.write(begin)
    return Browser(here, {"voicecall": cookie})


@pytest.fixture
async def here(tmp_path: Path, template: Path) -> AsyncIterator[World]:
    """A world of the test's own."""
    async with world(tmp_path, template) as made:
        yield made


@pytest.fixture
async def admin(here: World) -> Browser:
    """The operator's administrator."""
    return await browser(here, Role.ADMINISTRATOR)

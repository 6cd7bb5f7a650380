"""A browser without scripts in a world of the management API's tests."""

import io
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import aiohttp
import pytest
from service.management.world import OPERATOR, World, user_id, world

from controller.management.passwords import digest
from controller.management.roles import Role
from controller.store.management_tables import LoginSession


class _Hidden(HTMLParser):
    """Finds the hidden inputs of a page's forms, by the form's action."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, dict[str, str]] = {}
        self._now: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form":
            self._now = self.forms.setdefault(given.get("action") or "", {})
        elif tag == "input" and given.get("type") == "hidden":
            self._now[given.get("name") or ""] = given.get("value") or ""


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

    async def post(self, path: str, data: dict[str, str], **headers: str) -> Shown:
        """Send a form as it is, without what its page holds hidden."""
        return await self._ask("POST", path, data, headers)

    async def fill(self, page: str, action: str, data: dict[str, str], **headers: str) -> Shown:
        """Fill in the form with this action on that page, and send it."""
        return await self.answer(await self.get(page), action, data, **headers)

    async def answer(self, shown: Shown, action: str, data: dict[str, str], **headers: str) -> Shown:
        """Fill in the form with this action on a page that is shown, and send it."""
        sent = {**hidden_of(shown, action), **data}
        return await self.post(action.partition("?")[0] + _query(action), sent, **headers)

    async def upload(
        self, page: str, action: str, data: dict[str, str], name: str, content: bytes, **headers: str
    ) -> Shown:
        """Fill in the form with this action on that page, choose a file, and send it."""
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for field_name, value in {**hidden_of(await self.get(page), action), **data}.items():
            form.add_field(field_name, value)
        form.add_field("file", io.BytesIO(content), filename=name, content_type="application/octet-stream")
        return await self._ask("POST", action, form, headers)

    async def _ask(
        self,
        method: str,
        path: str,
        data: dict[str, str] | aiohttp.FormData | None,
        headers: dict[str, str],
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
    """What the form with this action on a page holds hidden."""
    hidden = _Hidden()
    hidden.feed(shown.text)
    return hidden.forms["/console" + action]


def _query(address: str) -> str:
    return "?" + address.partition("?")[2] if "?" in address else ""


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

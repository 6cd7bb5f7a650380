"""The console's routes: who is there, what protects the pages, and how errors look."""

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import web

from controller.api.entrance import OPEN
from controller.api.listener import arrived
from controller.api.remote import Remote
from controller.console.arriving import arriving
from controller.console.assets import Assets
from controller.console.live import logged_out
from controller.console.pages.declared import Page
from controller.console.rendering import THEMES, Look, Renderer
from controller.console.visit import PREFIX, Visit
from controller.console.words import language_of
from controller.management.desk import Desk
from controller.management.identity import Identity
from controller.management.passwords import csrf_token, same
from controller.management.problems import (
    CsrfTokenWrong,
    NotAuthenticated,
    NotFound,
    Problem,
    SecondFactorMissing,
    TooLarge,
)

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "no-store",
}

_OVER_HTTPS: Final = "max-age=31536000; includeSubDomains"
"""A browser that came over HTTPS once comes no other way for a year."""


class Console:
    """Everything below /console."""

    def __init__(self, pages: Iterable[Page], desk: Desk, remote: Remote) -> None:
        self._pages = tuple(pages)
        self._desk = desk
        self._remote = remote
        services = desk.services
        self._identity = Identity(services.database, services.settings.management, services.clock, remote)
        self._renderer = Renderer(Assets())

    def routes(self) -> list[web.RouteDef]:
        """What the server serves."""
        return [
            *(web.route(page.method, PREFIX + page.path, self._handler(page)) for page in self._pages),
            web.get(PREFIX + "/assets/{digest}/{name}", self._renderer.assets.serve),
            web.route("*", PREFIX + "/{rest:.*}", self._handler(Page("GET", "", _nowhere, is_open=True))),
        ]

    def _handler(self, page: Page) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            visit = await self._visit(request)
            request[OPEN] = visit.actor is None
            try:
                if visit.actor is None and not page.is_open:
                    raise NotAuthenticated
                if visit.actor is not None and visit.actor.lacks_factor and not page.is_own:
                    raise SecondFactorMissing
                if request.method == "POST":
                    if page.takes_file:
                        patience = visit.services.settings.http.read_timeout
                        visit.arriving = await arriving(request, patience)
                    await self._check_sender(request, visit)
                answer = await page.handler(visit)
            except NotAuthenticated:
                answer = (
                    logged_out()
                    if visit.is_stream
                    else visit.go("/login?then=" + quote(_place(request), safe=""))
                )
            except SecondFactorMissing:
                answer = visit.go("/me/second-factor", "Set up your second factor first.")
            except web.HTTPRequestEntityTooLarge:
                answer = visit.render("problem.html", problem=TooLarge(), status=TooLarge.status)
            except Problem as problem:
                answer = visit.render("problem.html", problem=problem, status=problem.status)
            except Exception:
                if request.transport is None:
                    raise
                log.exception("A page failed", extra={"path": page.path})
                answer = visit.render("problem.html", problem=Problem(), status=500)
            if visit.new_session is not None:
                request[OPEN] = False
                lifetime = timedelta(hours=visit.services.settings.management.session_hours)
                self._identity.set_cookie(answer, request, visit.new_session, lifetime)
            if not answer.prepared:
                for name, value in _HEADERS.items():
                    answer.headers.setdefault(name, value)
                if visit.base_url.startswith("https:"):
                    answer.headers["Strict-Transport-Security"] = _OVER_HTTPS
            return answer

        return handle

    async def _visit(self, request: web.Request) -> Visit:
        cookie = self._identity.cookie(request)
        try:
            # Whether a change may be made with it is checked by the form's own token.
            # A page that is kept up to date by itself doesn't show that somebody is there.
            is_use = "text/event-stream" not in request.headers.get("Accept", "")
            actor = await self._identity.of(request, is_safe=True, is_use=is_use) if cookie else None
        except NotAuthenticated:
            actor = None
        theme = request.cookies.get("voicecall-theme", "")
        wanted = request.cookies.get("voicecall-language")
        language = language_of(wanted, request.headers.get("Accept-Language", ""))
        return Visit(
            request=request,
            desk=self._desk,
            renderer=self._renderer,
            look=Look(language, theme if theme in THEMES else "auto"),
            actor=actor,
            csrf=csrf_token(cookie) if actor is not None else "",
            address=self._remote.address(request),
            base_url=self._remote.base_url(request),
            request_id=secrets.token_hex(8),
        )

    async def _check_sender(self, request: web.Request, visit: Visit) -> None:
        """A form must come from one of our own pages. Raises CsrfTokenWrong."""
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != urlsplit(visit.base_url).netloc:
            raise CsrfTokenWrong
        if visit.actor is None:
            return
        given = request.headers.get("X-CSRF-Token")
        if given is None and visit.arriving is not None:
            given = visit.arriving.typed.get("csrf", "")
        elif given is None:
            given = str((await request.post()).get("csrf", ""))
            arrived(request)
        if not same(visit.csrf, given):
            raise CsrfTokenWrong


def _place(request: web.Request) -> str:
    """The page that is to be shown after logging in; not what a form was sent to."""
    if request.method == "POST" or request.headers.get("HX-Request") == "true":
        parts = urlsplit(str(request.headers.get("HX-Current-URL") or request.headers.get("Referer", "")))
        place = parts.path + (f"?{parts.query}" if parts.query else "")
    else:
        place = request.path_qs
    return place.removeprefix(PREFIX) if place.startswith(PREFIX + "/") else "/"


async def _nowhere(_visit: Visit) -> web.StreamResponse:
    raise NotFound

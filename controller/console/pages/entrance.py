"""Logging in and out, and the look of pages."""

from urllib.parse import urlsplit

from aiohttp import web

from controller.console.forms import Field, Form
from controller.console.pages.declared import Pages
from controller.console.rendering import THEMES
from controller.console.visit import PREFIX, Visit
from controller.console.words import LANGUAGES, N_
from controller.management.resources.sessions import log_in, log_out
from controller.management.roles import Role

pages = Pages()

LOGIN = Form(
    (
        Field("login", N_("Name"), required=True),
        Field("password", N_("Password"), "password", required=True),
        Field(
            "code",
            N_("Code"),
            "code",
            empty="",
            help=N_("Six digits of your authenticator app, if you have set up a second factor."),
        ),
    )
)
_YEAR = 365 * 86400


@pages.get("", is_open=True)
@pages.get("/", is_open=True)
async def start(visit: Visit) -> web.StreamResponse:
    """Where one lands; logging in leads here again."""
    if visit.actor is None:
        return visit.go("/login")
    return visit.go("/first-call" if visit.may(Role.DEVELOPER) else "/dashboard")


@pages.get("/login", is_open=True)
async def login_page(visit: Visit) -> web.StreamResponse:
    """The form."""
    return visit.render("login.html", form=visit.blank(LOGIN), then=_then(visit))


@pages.post("/login", is_open=True)
async def login(visit: Visit) -> web.StreamResponse:
    """Begin a session and go to where the user wanted to."""
    sent = await visit.sent(LOGIN)
    try:
        begun = await sent.to(log_in)
    except Exception as error:
        if getattr(error, "status", None) != 401:
            raise
        begun, sent.status, sent.problem = None, 401, visit.text("Name, password or code is wrong.")
    if begun is None:
        return visit.render("login.html", form=sent, then=_then(visit), status=sent.status)
    return visit.go(_then(visit))


@pages.post("/logout")
async def logout(visit: Visit) -> web.StreamResponse:
    """End the session."""
    await visit.run(log_out)
    return visit.go("/login", "You are logged out.")


@pages.post("/look", is_open=True)
async def look(visit: Visit) -> web.StreamResponse:
    """Another language or theme, kept in cookies; back to the page."""
    data = await visit.request.post()
    answer = visit.go(_then(visit))
    language, theme = str(data.get("language", "")), str(data.get("theme", ""))
    if language in LANGUAGES:
        answer.set_cookie("voicecall-language", language, path=PREFIX, max_age=_YEAR, samesite="Lax")
    if theme in THEMES:
        answer.set_cookie("voicecall-theme", theme, path=PREFIX, max_age=_YEAR, samesite="Lax")
    return answer


def _then(visit: Visit) -> str:
    """Where to go afterwards: a page of the console, whatever the address says."""
    given = visit.request.query.get("then", "")
    parts = urlsplit(given)
    if (
        parts.scheme
        or parts.netloc
        or not parts.path.startswith("/")
        or "\\" in given
        or given.startswith("//")
    ):
        return "/"
    return parts.path + (f"?{parts.query}" if parts.query else "")

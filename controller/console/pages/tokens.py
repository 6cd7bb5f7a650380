"""API tokens: what programs of a user show instead of logging in."""

from typing import Final

from aiohttp import web

from controller.console.forms import Field, Form
from controller.console.listing import list_page
from controller.console.pages.declared import Pages
from controller.console.pages.kinds import Kind, shown_once
from controller.console.pages.terms import ROLES
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.tokens import TokenView, create_token, delete_token, list_tokens

pages = Pages()
TOKENS: Final = Kind[TokenView]("/tokens", N_("API tokens"), lambda token: token.id, lambda token: token.name)

NEW: Final = Form(
    (
        Field("name", N_("What it is for"), required=True, empty=""),
        Field("role", N_("Role"), "choice", help=N_("What it may do: not more than you may.")),
        Field("days", N_("Days until it expires"), "number", required=True, help=N_("1 to 3650.")),
    )
)


@pages.get("/tokens")
async def tokens(visit: Visit) -> web.StreamResponse:
    """One's own."""
    return await list_page(
        visit,
        "tokens.html",
        list_tokens,
        Form(()),
        title=visit.text("API tokens"),
        today=visit.services.clock.now(),
    )


@pages.post("/tokens/{token_id}/revoke")
async def revoke(visit: Visit) -> web.StreamResponse:
    """It is no good from now on."""
    await visit.run(delete_token)
    return visit.go("/tokens", "The token is revoked: it is no good from now on.")


async def _form(visit: Visit) -> Form:
    own = visit.user.role
    return NEW.offering(role=[(role.value, word) for role, word in ROLES.items() if own.covers(role)])


TOKENS.made_by(
    pages,
    create_token,
    _form,
    lambda visit, made, _sent: shown_once(
        visit,
        visit.text("The token is there"),
        visit.text("Copy the token now: it is not shown again."),
        [(visit.text("Token"), made.token)],
        "/tokens",
    ),
    title=N_("New token"),
    values={"role": "viewer", "days": "90"},
)

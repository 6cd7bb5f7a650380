"""API tokens: what programs of a user show instead of logging in."""

from typing import Final

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import listed
from controller.console.pages.declared import Pages
from controller.console.pages.terms import ROLES
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.tokens import create_token, delete_token, list_tokens

pages = Pages()

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
    return visit.render(
        "tokens.html",
        title=visit.text("API tokens"),
        listing=await listed(visit, list_tokens, Form(())),
        today=visit.services.clock.now(),
    )


@pages.get("/tokens/new")
async def new(visit: Visit) -> web.StreamResponse:
    """The form for one more."""
    return _new(visit, visit.blank(_form(visit), role="viewer", days="90"))


@pages.post("/tokens/new")
async def create(visit: Visit) -> web.StreamResponse:
    """One more, shown now and never again."""
    sent = await visit.sent(_form(visit))
    made = await sent.to(create_token)
    if made is None:
        return _new(visit, sent)
    return visit.render(
        "secret.html",
        title=visit.text("The token is there"),
        said=visit.text("Copy the token now: it is not shown again."),
        shown=[(visit.text("Token"), made.token)],
        then="/tokens",
        button=visit.text("I have copied it"),
    )


@pages.post("/tokens/{token_id}/revoke")
async def revoke(visit: Visit) -> web.StreamResponse:
    """It is no good from now on."""
    await visit.run(delete_token)
    return visit.go("/tokens", "The token is revoked: it is no good from now on.")


def _form(visit: Visit) -> Form:
    own = visit.user.role
    return NEW.offering(role=[(role.value, word) for role, word in ROLES.items() if own.covers(role)])


def _new(visit: Visit, form: Sent) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("New token"),
        form=form,
        action="/tokens/new",
        button=visit.text("Create"),
        back="/tokens",
        back_title=visit.text("API tokens"),
        status=form.status,
    )

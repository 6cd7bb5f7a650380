"""Contacts of accounts, and what they were told."""

from typing import Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, for_whom, listed
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.contacts import (
    ContactView,
    create_contact,
    delete_contact,
    get_contact,
    list_contacts,
    list_notices,
    replace_contact,
)

pages = Pages()

FILTERS: Final = Form((ACCOUNT,))
_DETAILS: Final = (
    Field("name", N_("Name"), empty="", help=N_("Who it is.")),
    Field("email", N_("E-mail"), help=N_("An address, a webhook, or both.")),
    Field("webhook_url", N_("Webhook"), placeholder="https://"),
    Field(
        "webhook_secret",
        N_("Webhook secret"),
        "password",
        help=N_(
            "whsec_ and 24 to 64 bytes in Base64; signs webhooks. It is not shown again: what is left empty "
            "here means no signature."
        ),
    ),
)
NEW: Final = Form((ACCOUNT, *_DETAILS))
EDIT: Final = Form(_DETAILS)
_TOLD: Final = 200


@pages.get("/contacts")
async def contacts(visit: Visit) -> web.StreamResponse:
    """All that there are, and what was told last."""
    listing = await listed(visit, list_contacts, FILTERS)
    narrowed = listing.filters.form.body(listing.filters.typed)
    account = {"account_id": narrowed["account_id"]} if narrowed.get("account_id") else {}
    told = [] if listing.filters.is_refused else await visit.all_of(list_notices, query=account, most=_TOLD)
    return visit.render(
        "contacts.html",
        title=visit.text("Contacts"),
        listing=listing,
        notices=told[:20],
        may_create=visit.allows(create_contact),
    )


@pages.get("/contacts/new")
async def new(visit: Visit) -> web.StreamResponse:
    """The form for one more."""
    visit.check(create_contact)
    return _new(visit, visit.blank(await for_whom(visit, NEW)))


@pages.post("/contacts/new")
async def create(visit: Visit) -> web.StreamResponse:
    """One more."""
    sent = await visit.sent(await for_whom(visit, NEW))
    made = await sent.to(create_contact)
    if made is None:
        return _new(visit, sent)
    return visit.go(
        _place(made.id), "The contact is there. It is told what concerns the account from now on."
    )


@pages.get("/contacts/{contact_id}")
async def contact(visit: Visit) -> web.StreamResponse:
    """One of them, and what it was told."""
    present = await visit.run(get_contact)
    told = await visit.all_of(list_notices, query={"account_id": present.account_id}, most=_TOLD)
    return visit.render(
        "contact.html",
        contact=present,
        notices=[notice for notice in told if notice.contact_id == present.id],
        may_edit=visit.allows(replace_contact),
    )


@pages.get("/contacts/{contact_id}/edit")
async def edit(visit: Visit) -> web.StreamResponse:
    """What is known of it, as a form."""
    visit.check(replace_contact)
    present = await visit.run(get_contact)
    return _edit(visit, visit.blank(EDIT, present), present)


@pages.post("/contacts/{contact_id}/edit")
async def change(visit: Visit) -> web.StreamResponse:
    """Other addresses."""
    present = await visit.run(get_contact)
    sent = await visit.sent(EDIT)
    await sent.to(replace_contact)
    if sent.is_refused:
        return _edit(visit, sent, present)
    return visit.go(
        _place(present.id), "The contact is changed. What waits to be told goes to its new addresses."
    )


@pages.post("/contacts/{contact_id}/delete")
async def delete(visit: Visit) -> web.StreamResponse:
    """It is told no more."""
    await visit.run(delete_contact)
    return visit.go("/contacts", "The contact is removed.")


def _new(visit: Visit, form: Sent) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("New contact"),
        form=form,
        action="/contacts/new",
        button=visit.text("Create"),
        back="/contacts",
        back_title=visit.text("Contacts"),
        status=form.status,
    )


def _edit(visit: Visit, form: Sent, present: ContactView) -> web.Response:
    called = present.name.strip() or present.email or present.id
    return visit.render(
        "form.html",
        title=visit.text("Settings of %(name)s", name=called),
        form=form,
        action=_place(present.id) + "/edit",
        button=visit.text("Save"),
        back=_place(present.id),
        back_title=called,
        version=visit.version_of(present),
        status=form.status,
    )


def _place(contact_id: str) -> str:
    return f"/contacts/{quote(contact_id)}"

"""Contacts of accounts, and what they were told."""

from typing import Final

from aiohttp import web

from controller.console.forms import Field, Form
from controller.console.listing import ACCOUNT, listed
from controller.console.pages.declared import Pages
from controller.console.pages.kinds import Kind
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
CONTACTS: Final = Kind[ContactView](
    "/contacts",
    N_("Contacts"),
    lambda contact: contact.id,
    lambda contact: contact.name.strip() or contact.email or contact.id,
    "contact_id",
)

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


CONTACTS.made_by(
    pages,
    create_contact,
    NEW,
    N_("The contact is there. It is told what concerns the account from now on."),
    title=N_("New contact"),
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


CONTACTS.changed_by(
    pages,
    get_contact,
    replace_contact,
    EDIT,
    N_("The contact is changed. What waits to be told goes to its new addresses."),
    whole=True,
)


@pages.post("/contacts/{contact_id}/delete")
async def delete(visit: Visit) -> web.StreamResponse:
    """It is told no more."""
    await visit.run(delete_contact)
    return visit.go("/contacts", "The contact is removed.")

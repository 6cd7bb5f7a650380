"""Contacts of accounts, and what they were told."""

from sqlalchemy import select
from sqlmodel import Session, col

from controller.accounts.contact_details import ContactDetails
from controller.management.context import Context
from controller.management.models import AccountQuery, Input, Moment, OwnAccount, Page, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict, NotFound
from controller.management.roles import Role
from controller.notices.contacts import KnownContact, known_contact
from controller.notices.errors import ContactUnknown, TooManyContacts
from controller.store.notices import Channel
from controller.store.tables import Contact, Notice

operations = Operations(
    "contact",
    {
        ContactUnknown: lambda error: NotFound(),
        TooManyContacts: lambda error: Conflict(str(error)),
    },
)


def _find(session: Session, contact_id: str) -> Owner | None:
    found = session.get(Contact, contact_id)
    return None if found is None else Owner(found.account_id)


CONTACT = Kind("contact", "contact_id", "The contact.", _find)


class ContactView(View):
    """A contact. Its webhook's secret is not shown again."""

    id: str
    """Names it."""
    account_id: str
    """Whose it is."""
    name: str
    """Who it is."""
    email: str | None
    """Where mail goes."""
    webhook_url: str | None
    """Where webhooks go."""
    signed: bool
    """Whether webhooks are signed."""


class ContactInput(ContactDetails, Input):
    """A contact as a whole."""


class NewContact(ContactInput):
    """A contact to be: at least one way of reaching it."""

    account_id: OwnAccount = None


class NoticeView(View):
    """What a contact was told, or will be."""

    id: str
    """Names it."""
    account_id: str
    """Whose contact."""
    contact_id: str
    """Which contact."""
    channel: Channel
    """How."""
    event: str
    """What happened."""
    created_at: Moment
    """When it happened."""
    attempts: int
    """How often it was tried."""
    due_at: Moment | None
    """When it is tried next; null: no more."""
    delivered_at: Moment | None
    """When it was accepted."""
    given_up_at: Moment | None
    """When it was given up."""
    error: str | None
    """What the last attempt failed at."""


def _view(contact: KnownContact) -> ContactView:
    return ContactView(
        id=contact.id,
        account_id=contact.account_id,
        name=contact.name,
        email=contact.email,
        webhook_url=contact.webhook_url,
        signed=contact.signed,
    )


def _details(body: ContactInput) -> ContactDetails:
    return ContactDetails(
        name=body.name,
        email=body.email,
        webhook_url=body.webhook_url,
        webhook_secret=body.webhook_secret,
    )


@operations.get("/contacts", needs=Role.VIEWER)
async def list_contacts(ctx: Context, query: AccountQuery) -> Page[ContactView]:
    """List contacts."""
    return await ctx.page(
        select(Contact),
        [col(Contact.id)],
        query,
        lambda row: _view(known_contact(row)),
        account=col(Contact.account_id),
    )


@operations.post(
    "/contacts",
    needs=Role.ADMINISTRATOR,
    example={"account_id": "acme", "name": "Li Wei", "email": "li.wei@example.com"},
)
async def create_contact(ctx: Context, body: NewContact) -> ContactView:
    """Create a contact, which is told what concerns the account."""
    made = _view(await ctx.services.contacts.add(ctx.account, _details(body)))
    await ctx.note("contact", made.id, after=made)
    return made


@operations.get("/contacts/{contact_id}", needs=Role.VIEWER, kinds=[CONTACT])
async def get_contact(ctx: Context) -> ContactView:
    """Read a contact."""
    return _view(await ctx.services.contacts.get(ctx.account, ctx.path["contact_id"]))


@operations.operation(
    "PUT",
    "/contacts/{contact_id}",
    needs=Role.ADMINISTRATOR,
    kinds=[CONTACT],
    locked=True,
    example={"name": "Li Wei", "webhook_url": "https://acme.example/hook"},
)
async def replace_contact(ctx: Context, body: ContactInput) -> ContactView:
    """Change a contact as a whole. What waits to be told goes to its new addresses."""
    seen: list[ContactView] = []

    def expect(present: KnownContact) -> None:
        seen[:] = [_view(present)]
        ctx.expect(seen[0])

    contact_id = ctx.path["contact_id"]
    after = _view(await ctx.services.contacts.replace(ctx.account, contact_id, _details(body), expect))
    await ctx.note("contact", after.id, before=seen[0], after=after)
    return after


@operations.delete("/contacts/{contact_id}", needs=Role.ADMINISTRATOR, kinds=[CONTACT])
async def delete_contact(ctx: Context) -> None:
    """Remove a contact. What waited to be told is given up."""
    before = _view(await ctx.services.contacts.get(ctx.account, ctx.path["contact_id"]))
    await ctx.services.contacts.remove(ctx.account, before.id)
    await ctx.note("contact", before.id, before=before)


@operations.get("/notices", needs=Role.VIEWER)
async def list_notices(ctx: Context, query: AccountQuery) -> Page[NoticeView]:
    """List what contacts were told, newest first."""
    return await ctx.page(
        select(Notice), [col(Notice.id)], query, _notice, account=col(Notice.account_id), descending=True
    )


def _notice(row: Notice) -> NoticeView:
    return NoticeView(
        id=f"ntc-{row.id}",
        account_id=row.account_id,
        contact_id=row.contact_id,
        channel=Channel(row.channel),
        event=row.event,
        created_at=row.created_at,
        attempts=row.attempts,
        due_at=row.due_at,
        delivered_at=row.delivered_at,
        given_up_at=row.given_up_at,
        error=row.error,
    )

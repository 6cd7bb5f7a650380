"""Contacts of accounts: who is told, and how."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator
from sqlmodel import Session

from controller.accounts.webhook_secret import webhook_key
from controller.clock import Clock
from controller.faults import EMAIL
from controller.notices.errors import ContactUnknown, TooManyContacts
from controller.store import notices as rows
from controller.store.database import Database
from controller.store.tables import Contact

MOST = 20
"""Contacts of an account."""


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - read, as only that checks it
    except ValueError:
        raise ValueError("not an http or https address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("not an http or https address")
    return text


def _secret(secret: SecretStr) -> SecretStr:
    webhook_key(secret.get_secret_value())
    return secret


# Plain addresses alone: what else mail allows (quotes, comments, other scripts) is where injections begin.
Email = Annotated[str, Field(pattern=EMAIL)]
WebhookUrl = Annotated[str, Field(max_length=2048), AfterValidator(_url)]


class ContactDetails(BaseModel):
    """What is known of a contact: at least one way of reaching it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: str = Field("", max_length=100)
    """Who it is."""
    email: Email | None = None
    """Where mail goes."""
    webhook_url: WebhookUrl | None = None
    """Where webhooks go; where pushes may go."""
    webhook_secret: Annotated[SecretStr, AfterValidator(_secret)] | None = None
    """What signs webhooks (Standard Webhooks): whsec_ and 24 to 64 bytes in Base64."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.email is None and self.webhook_url is None:
            raise ValueError("a contact needs email or webhook_url")
        if self.webhook_secret is not None and self.webhook_url is None:
            raise ValueError("webhook_secret needs webhook_url")
        return self


@dataclass(frozen=True)
class KnownContact:
    """A contact of an account; the secret itself is never shown again."""

    id: str
    account_id: str
    name: str
    email: str | None
    webhook_url: str | None
    signed: bool
    """Whether its webhooks are signed."""


class Contacts:
    """The contacts of all accounts."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def page(self, account_id: str, *, after: str = "", limit: int = 50) -> list[KnownContact]:
        """Contacts of an account by id, those behind `after`."""
        return await self._database.read(
            lambda session: [
                known_contact(row) for row in rows.contacts(session, account_id, after=after, limit=limit)
            ]
        )

    async def get(self, account_id: str, contact_id: str) -> KnownContact:
        """One contact. Raises ContactUnknown."""
        return await self._database.read(
            lambda session: known_contact(_found(session, account_id, contact_id))
        )

    async def add(self, account_id: str, details: ContactDetails) -> KnownContact:
        """A new contact. Raises TooManyContacts."""
        contact_id = f"ct-{secrets.token_hex(8)}"

        def work(session: Session) -> KnownContact:
            if rows.count_contacts(session, account_id) >= MOST:
                raise TooManyContacts(f"the account has {MOST} contacts; remove one first")
            row = Contact(id=contact_id, account_id=account_id)
            _describe(row, details)
            session.add(row)
            session.flush()
            return known_contact(row)

        return await self._database.write(work)

    async def replace(
        self,
        account_id: str,
        contact_id: str,
        details: ContactDetails,
        expect: Callable[[KnownContact], None] = lambda present: None,
    ) -> KnownContact:
        """Other details for a contact; notices that wait for it go there. Raises ContactUnknown.

        `expect` may raise, when what is there is not what it should be.
        """

        def work(session: Session) -> KnownContact:
            row = _found(session, account_id, contact_id)
            expect(known_contact(row))
            _describe(row, details)
            return known_contact(row)

        return await self._database.write(work)

    async def remove(self, account_id: str, contact_id: str) -> None:
        """Remove a contact; notices that wait for it are given up. Raises ContactUnknown."""
        now = self._clock.now()
        await self._database.write(
            lambda session: rows.remove_contact(session, _found(session, account_id, contact_id), now)
        )


def _describe(row: Contact, details: ContactDetails) -> None:
    row.name, row.email, row.webhook_url = details.name, details.email, details.webhook_url
    secret = details.webhook_secret
    row.webhook_secret = None if secret is None else secret.get_secret_value()


def known_contact(row: Contact) -> KnownContact:
    """What a row says."""
    return KnownContact(
        row.id, row.account_id, row.name, row.email, row.webhook_url, row.webhook_secret is not None
    )


def _found(session: Session, account_id: str, contact_id: str) -> Contact:
    row = rows.contact(session, account_id, contact_id)
    if row is None:
        raise ContactUnknown(f"there is no contact {contact_id}")
    return row

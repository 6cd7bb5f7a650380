"""Contacts of accounts: who is told, and how."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlmodel import Session

from controller.accounts.contact_details import MOST, ContactDetails, describe
from controller.clock import Clock
from controller.notices.errors import ContactUnknown, TooManyContacts
from controller.store import notices as rows
from controller.store.database import Database
from controller.store.tables import Contact


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
            describe(row, details)
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
            describe(row, details)
            return known_contact(row)

        return await self._database.write(work)

    async def remove(self, account_id: str, contact_id: str) -> None:
        """Remove a contact; notices that wait for it are given up. Raises ContactUnknown."""
        now = self._clock.now()
        await self._database.write(
            lambda session: rows.remove_contact(session, _found(session, account_id, contact_id), now)
        )


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

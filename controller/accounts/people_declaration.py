"""Makes the database hold the people that are declared: users, contacts, enterprises with their documents."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, SQLModel, col

from controller.accounts.changes import Change
from controller.accounts.contact_details import MOST as MOST_CONTACTS
from controller.accounts.declared import Declaration, DeclaredAccount
from controller.accounts.declared_people import DeclaredUser
from controller.accounts.qualification import LARGEST_DOCUMENT, media_type_of, missing_of, told_of
from controller.rules.roles import Role
from controller.store import notices, people, reviews
from controller.store.declaring import Declaring
from controller.store.enterprise_tables import (
    DocumentKind,
    Enterprise,
    EnterpriseDocument,
    EnterpriseState,
)
from controller.store.management_tables import User
from controller.store.many import insert_all, pieces
from controller.store.reviews import ReviewKind
from controller.store.tables import Contact

Documents = Mapping[tuple[str, DocumentKind], bytes]
"""Of enterprises, by their ids."""


def declared_users(declaration: Declaration) -> list[tuple[str | None, DeclaredUser]]:
    """All users, each with the account that they belong to; None: the operator."""
    return [(None, user) for user in declaration.users] + [
        (account.id, user) for account in declaration.accounts for user in account.users
    ]


def load_documents(declaration: Declaration, folder: Path) -> tuple[Documents, list[str]]:
    """The documents of declared enterprises, and what is wrong with them."""
    documents: dict[tuple[str, DocumentKind], bytes] = {}
    faults: list[str] = []
    for account in declaration.accounts:
        for enterprise in account.enterprises:
            for kind, file in enterprise.documents.items():
                path = folder / file
                try:
                    content = _read(path)
                except OSError as error:
                    faults.append(f"{path}: {error.strerror}")
                    continue
                if len(content) > LARGEST_DOCUMENT:
                    faults.append(f"{path}: has more than {LARGEST_DOCUMENT} bytes")
                elif media_type_of(content) is None:
                    faults.append(f"{path}: is no PDF, JPEG or PNG")
                else:
                    documents[enterprise.id, kind] = content
    return documents, faults


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_DOCUMENT + 1)


class PeopleDeclaration:
    """Applies one declaration; what can't be is noted in `faults`, and then the session must be given up."""

    def __init__(
        self, session: Session, documents: Documents, hashes: Mapping[str, str], now: datetime
    ) -> None:
        """`hashes`: what is to be kept of passwords that are declared, by logins."""
        self._session = session
        self._documents = documents
        self._hashes = hashes
        self._now = now
        self._rows = Declaring(session)
        self._contacts: dict[str, int] = {}
        """How many each account has, or will have."""
        self._changed: list[Enterprise] = []
        self.changes: list[Change] = []
        self.faults: list[str] = []

    def read(self, declaration: Declaration) -> None:
        """Read what is there of what is declared, before any of it is."""
        accounts = declaration.accounts
        self._rows.read(Contact, [its.id for account in accounts for its in account.contacts])
        self._rows.read(Enterprise, [its.id for account in accounts for its in account.enterprises])
        self._contacts = notices.counts_of_contacts(self._session)

    def users(self, declaration: Declaration) -> None:
        """Declare all users, and write it all. Where there was an administrator there is one afterwards, and
        an operator's.
        """
        declared = declared_users(declaration)
        administrators = people.active_users(self._session, Role.ADMINISTRATOR)
        led = {owner for owner, _user in declared if owner in administrators}
        found = people.users_with_logins(self._session, [user.login for _owner, user in declared])
        ids = {user.login: f"usr_{secrets.token_hex(10)}" for _owner, user in declared}
        ids |= {login: row.id for login, row in found.items()}
        self._rows.read(User, ids.values())
        ended = [
            ids[user.login]
            for account_id, user in declared
            if self._is_logged_out(account_id, user, ids[user.login])
        ]
        self._write()
        people.end_all_sessions(self._session, ended)
        if declared:
            led.add(None)
        administrators = people.active_users(self._session, Role.ADMINISTRATOR)
        for owner in sorted(led, key=str):
            if not self.faults and owner not in administrators:
                whose = "the operator's" if owner is None else f"account {owner}'s"
                self.faults.append(f"users: there must be an active administrator among {whose}")

    def _is_logged_out(self, account_id: str | None, user: DeclaredUser, user_id: str) -> bool:
        """Declare a user; whether sessions of theirs end by it."""
        found = self._rows.get(User, user_id)
        if found is not None and found.account_id != account_id:
            self.faults.append(f"user {user.login} belongs to another account, or to the operator")
            return False
        kept = user.password_hash or self._hashes.get(user.login)
        if found is None and kept is None:
            self.faults.append(f"user {user.login} is new and needs password or password_hash")
            return False
        more: dict[str, object] = {} if kept is None else {"password_hash": kept}
        if found is None:
            more["created_at"] = self._now
        change = self._declare("user", user.login, user.row(user_id, account_id, **more), account_id)
        return found is not None and (
            bool({"password_hash", "role"} & set(change.columns)) or not user.active
        )

    def of_account(self, account: DeclaredAccount) -> None:
        """Declare the contacts and enterprises of an account."""
        for contact in account.contacts:
            if self._is_foreign(Contact, contact.id, account.id):
                self.faults.append(f"contact {contact.id} belongs to another account")
            else:
                change = self._declare("contact", contact.id, contact.row(account.id), account.id)
                count = self._contacts.get(account.id, 0)
                self._contacts[account.id] = count + (change.what == "created")
        if self._contacts.get(account.id, 0) > MOST_CONTACTS:
            self.faults.append(f"account {account.id} would have more than {MOST_CONTACTS} contacts")
        for enterprise in account.enterprises:
            if self._is_foreign(Enterprise, enterprise.id, account.id):
                self.faults.append(f"enterprise {enterprise.id} belongs to another account")
                continue
            its = {
                kind: self._documents[enterprise.id, kind]
                for kind in enterprise.documents
                if (enterprise.id, kind) in self._documents
            }
            if len(its) < len(enterprise.documents):
                continue  # What is wrong with the others was told when they were read.
            told = {kind.value: told_of(content) for kind, content in its.items()}
            row = enterprise.row(account.id, told)
            if enterprise.approved and (missing := missing_of(row)):
                self.faults.append(
                    f"enterprise {enterprise.id} can't be approved: missing {', '.join(missing)}"
                )
                continue
            change = self._declare("enterprise", enterprise.id, row, account.id)
            if change.what == "unchanged":
                continue
            kept = self._rows.get(Enterprise, enterprise.id)
            assert kept is not None
            if row.state == EnterpriseState.APPROVED:
                kept.decided_at = self._now
            self._changed.append(kept)

    def _write(self) -> None:
        self._rows.write()
        changed = {enterprise.id: enterprise for enterprise in self._changed}
        for some in pieces(changed):
            replaced = col(EnterpriseDocument.enterprise_id).in_(some)
            self._session.execute(delete(EnterpriseDocument).where(replaced))
        documents = [
            EnterpriseDocument(enterprise_id=enterprise_id, kind=kind, content=content)
            for (enterprise_id, kind), content in self._documents.items()
            if enterprise_id in changed
        ]
        insert_all(self._session, documents)
        reviews.withdraw_all(
            self._session, [(its.account_id, ReviewKind.ENTERPRISE, its.id) for its in changed.values()]
        )

    def _is_foreign(self, table: type[Contact] | type[Enterprise], name: str, account_id: str) -> bool:
        found: Any = self._rows.get(table, name)
        return found is not None and found.account_id != account_id

    def _declare(self, kind: str, name: str, row: SQLModel, account_id: str | None) -> Change:
        done = self._rows.declare(row)
        change = Change(kind, name, done.what, done.columns, account_id)
        self.changes.append(change)
        return change

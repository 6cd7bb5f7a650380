"""Makes the database hold the people that are declared: users, contacts, enterprises with their documents."""

import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, SQLModel, col

from controller.accounts.changes import Change
from controller.accounts.contact_details import MOST as MOST_CONTACTS
from controller.accounts.declared import Declaration, DeclaredAccount
from controller.accounts.declared_people import DeclaredUser
from controller.accounts.qualification import LARGEST_DOCUMENT, media_type_of, missing_of, told_of
from controller.rules.roles import Role
from controller.store import directory as rows
from controller.store import notices, people, reviews
from controller.store.enterprise_tables import (
    DocumentKind,
    Enterprise,
    EnterpriseDocument,
    EnterpriseState,
)
from controller.store.management_tables import User
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
        self.changes: list[Change] = []
        self.faults: list[str] = []

    def users(self, declaration: Declaration) -> None:
        """Declare all users. Where there was an administrator there is one afterwards, and an operator's."""
        declared = declared_users(declaration)
        led = {owner for owner, _user in declared if _administrators(self._session, owner)}
        for account_id, user in declared:
            self._user(account_id, user)
        self._session.flush()
        if declared:
            led.add(None)
        for owner in sorted(led, key=str):
            if not self.faults and not _administrators(self._session, owner):
                whose = "the operator's" if owner is None else f"account {owner}'s"
                self.faults.append(f"users: there must be an active administrator among {whose}")

    def _user(self, account_id: str | None, user: DeclaredUser) -> None:
        found = people.user_with_login(self._session, user.login)
        if found is not None and found.account_id != account_id:
            self.faults.append(f"user {user.login} belongs to another account, or to the operator")
            return
        kept = user.password_hash or self._hashes.get(user.login)
        if found is None and kept is None:
            self.faults.append(f"user {user.login} is new and needs password or password_hash")
            return
        more: dict[str, object] = {} if kept is None else {"password_hash": kept}
        if found is None:
            more["created_at"] = self._now
        user_id = f"usr_{secrets.token_hex(10)}" if found is None else found.id
        change = self._declare("user", user.login, user.row(user_id, account_id, **more), account_id)
        if {"password_hash", "role"} & set(change.columns) or not user.active:
            people.end_sessions_of(self._session, user_id)

    def of_account(self, account: DeclaredAccount) -> None:
        """Declare the contacts and enterprises of an account."""
        for contact in account.contacts:
            if self._is_foreign(Contact, contact.id, account.id):
                self.faults.append(f"contact {contact.id} belongs to another account")
            else:
                self._declare("contact", contact.id, contact.row(account.id), account.id)
        if notices.count_contacts(self._session, account.id) > MOST_CONTACTS:
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
            if row.state == EnterpriseState.APPROVED:
                self._session.get_one(Enterprise, enterprise.id).decided_at = self._now
            self._keep(enterprise.id, its)
            reviews.withdraw(self._session, account.id, ReviewKind.ENTERPRISE, enterprise.id)

    def _keep(self, enterprise_id: str, documents: Mapping[DocumentKind, bytes]) -> None:
        for kind in DocumentKind:
            found = self._session.get(EnterpriseDocument, (enterprise_id, kind))
            if kind in documents:
                self._session.merge(
                    EnterpriseDocument(enterprise_id=enterprise_id, kind=kind, content=documents[kind])
                )
            elif found is not None:
                self._session.delete(found)
        self._session.flush()

    def _is_foreign(self, table: type[Contact] | type[Enterprise], name: str, account_id: str) -> bool:
        found: Any = self._session.get(table, name)
        return found is not None and found.account_id != account_id

    def _declare(self, kind: str, name: str, row: SQLModel, account_id: str | None) -> Change:
        done = rows.declare(self._session, row)
        change = Change(kind, name, done.what, done.columns, account_id)
        self.changes.append(change)
        return change


def _administrators(session: Session, account_id: str | None) -> int:
    """How many can do everything, of an account or the operator."""
    owner = col(User.account_id)
    count: int = session.execute(
        select(func.count())
        .select_from(User)
        .where(
            owner.is_(None) if account_id is None else owner == account_id,
            col(User.role) == Role.ADMINISTRATOR,
            col(User.active),
        )
    ).scalar_one()
    return count

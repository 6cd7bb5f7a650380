"""The people that there are, as a declaration says it: passwords as hashes, documents as files."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select
from sqlmodel import Session, col

from controller.accounts.declared_people import DeclaredContact, DeclaredEnterprise, DeclaredUser
from controller.accounts.qualification import Qualification, missing_of
from controller.rules.roles import Role
from controller.store.enterprise_tables import (
    DocumentKind,
    Enterprise,
    EnterpriseDocument,
    EnterpriseState,
)
from controller.store.management_tables import User
from controller.store.tables import Contact

_ENDINGS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


def export_users(session: Session, account_id: str | None) -> list[DeclaredUser]:
    """Users of an account; None: of the operator."""
    owner = col(User.account_id)
    found = session.execute(
        select(User)
        .where(owner.is_(None) if account_id is None else owner == account_id)
        .order_by(col(User.login))
    )
    return [
        DeclaredUser(
            login=row.login,
            name=row.name,
            role=Role(row.role),
            active=row.active,
            password_hash=row.password_hash,
        )
        for row in found.scalars()
    ]


def export_people(
    session: Session, account_id: str, folder: Path, documents: dict[Path, bytes], left_out: list[str]
) -> dict[str, Any]:
    """Users, contacts and enterprises of an account, by the names of fields of its declaration.

    Documents are put into `documents`, below `folder`; what is being reviewed is named in `left_out`.
    """
    contacts = session.execute(
        select(Contact).where(col(Contact.account_id) == account_id).order_by(col(Contact.id))
    )
    enterprises = session.execute(
        select(Enterprise).where(col(Enterprise.account_id) == account_id).order_by(col(Enterprise.id))
    )
    return {
        "users": export_users(session, account_id),
        "contacts": [_contact(row) for row in contacts.scalars()],
        "enterprises": [
            _enterprise(session, row, folder, documents)
            for row in enterprises.scalars()
            if _can_be_said(row, left_out)
        ],
    }


def _contact(row: Contact) -> DeclaredContact:
    return DeclaredContact(
        id=row.id,
        name=row.name,
        email=row.email,
        webhook_url=row.webhook_url,
        webhook_secret=None if row.webhook_secret is None else SecretStr(row.webhook_secret),
    )


def _can_be_said(row: Enterprise, left_out: list[str]) -> bool:
    """Whether a declaration can say how far the review has come: it knows approved and not yet submitted."""
    approved = row.state == EnterpriseState.APPROVED and not missing_of(row)
    draft = row.state == EnterpriseState.DRAFT and row.reason is None
    if not (approved or draft):
        left_out.append(f"enterprise {row.id} of account {row.account_id}: {row.state}")
    return approved or draft


def _enterprise(
    session: Session, row: Enterprise, folder: Path, documents: dict[Path, bytes]
) -> DeclaredEnterprise:
    files: dict[DocumentKind, Path] = {}
    for kind in DocumentKind:
        found = session.get(EnterpriseDocument, (row.id, kind))
        if found is not None:
            ending = _ENDINGS[row.documents[kind]["media_type"]]
            files[kind] = folder / row.account_id / f"{row.id}-{kind}.{ending}"
            documents[files[kind]] = found.content
    return DeclaredEnterprise(
        id=row.id,
        approved=row.state == EnterpriseState.APPROVED,
        documents=files,
        **row.model_dump(include={"full_name", *Qualification.model_fields}),
    )

"""Contacts of accounts, and the outbox of what they are told.

A notice is written in the transaction of what it tells of, and leaves the outbox when it was delivered or
given up. A crash in between repeats one, with the same message id; it never loses one.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlmodel import Session, col

from controller.store.many import insert_all, pieces
from controller.store.tables import Contact, Notice

NO_CONTACT = "the contact was removed"


class Channel(StrEnum):
    """How a contact is told."""

    EMAIL = "email"
    WEBHOOK = "webhook"


def contacts(session: Session, account_id: str, *, after: str = "", limit: int = 50) -> list[Contact]:
    """Contacts of an account by id, those behind `after`."""
    found = session.execute(
        select(Contact)
        .where(col(Contact.account_id) == account_id, col(Contact.id) > after)
        .order_by(col(Contact.id))
        .limit(limit)
    )
    return list(found.scalars())


def contact(session: Session, account_id: str, contact_id: str) -> Contact | None:
    """One contact of an account."""
    found = session.get(Contact, contact_id)
    return found if found is not None and found.account_id == account_id else None


def count_contacts(session: Session, account_id: str) -> int:
    """How many contacts an account has."""
    count: int = session.execute(
        select(func.count()).select_from(Contact).where(col(Contact.account_id) == account_id)
    ).scalar_one()
    return count


def counts_of_contacts(session: Session) -> dict[str, int]:
    """How many contacts each account has that has one."""
    counted = select(col(Contact.account_id), func.count()).group_by(col(Contact.account_id))
    return {row[0]: row[1] for row in session.execute(counted)}


def remove_contact(session: Session, row: Contact, now: datetime) -> None:
    """Remove a contact; what was on its way there is given up."""
    session.execute(
        update(Notice)
        .where(col(Notice.contact_id) == row.id, col(Notice.due_at).is_not(None))
        .values(due_at=None, given_up_at=now, error=NO_CONTACT)
    )
    session.delete(row)
    session.flush()


def tell_contacts(
    session: Session, account_id: str, event: str, data: Mapping[str, Any], now: datetime
) -> None:
    """Put a notice for each way of reaching each contact of an account into the outbox."""
    tell_all(session, event, [(account_id, data, now)])


def tell_all(session: Session, event: str, told: Collection[tuple[str, Mapping[str, Any], datetime]]) -> None:
    """As `tell_contacts`, for each (account, data, now) of many."""
    contacts_of: dict[str, list[Contact]] = {}
    for some in pieces(account_id for account_id, _data, _now in told):
        for row in session.execute(select(Contact).where(col(Contact.account_id).in_(some))).scalars():
            contacts_of.setdefault(row.account_id, []).append(row)
    notices = [
        Notice(
            account_id=account_id,
            contact_id=row.id,
            channel=channel,
            message_id=f"msg_{secrets.token_hex(16)}",
            event=event,
            data=dict(data),
            created_at=now,
            due_at=now,
        )
        for account_id, data, now in told
        for row in contacts_of.get(account_id, ())
        for channel, address in ((Channel.EMAIL, row.email), (Channel.WEBHOOK, row.webhook_url))
        if address
    ]
    insert_all(session, notices)


@dataclass(frozen=True)
class DueNotice:
    """A notice that is due, and where it goes."""

    id: int
    account_id: str
    channel: Channel
    address: str
    secret: str | None
    message_id: str
    event: str
    data: dict[str, Any]
    created_at: datetime
    attempts: int


def due_notices(
    session: Session, now: datetime, channel: Channel, limit: int, without: Collection[int] = ()
) -> list[DueNotice]:
    """Notices whose time has come, oldest first, but these."""
    rows = session.execute(
        select(Notice, Contact)
        .join(Contact, col(Contact.id) == col(Notice.contact_id))
        .where(
            col(Notice.due_at) <= now, col(Notice.channel) == channel, col(Notice.id).not_in(list(without))
        )
        .order_by(col(Notice.due_at), col(Notice.id))
        .limit(limit)
    )
    return [_due(notice, contact) for notice, contact in rows]


def claim_due(
    session: Session,
    now: datetime,
    until: datetime,
    channel: Channel,
    limit: int,
    without: Collection[int] = (),
) -> list[DueNotice]:
    """What is due, which no other controller takes for due until then."""
    due = due_notices(session, now, channel, limit, without)
    session.execute(
        update(Notice)
        .where(col(Notice.id).in_([notice.id for notice in due]))
        .values(due_at=until)
        .execution_options(synchronize_session=False)
    )
    return due


def _due(notice: Notice, contact: Contact) -> DueNotice:
    assert notice.id is not None
    channel = Channel(notice.channel)
    # Where it goes is what the contact says now; "" if it says nothing any more.
    address = contact.email if channel is Channel.EMAIL else contact.webhook_url
    return DueNotice(
        notice.id,
        notice.account_id,
        channel,
        address or "",
        contact.webhook_secret,
        notice.message_id,
        notice.event,
        notice.data,
        notice.created_at,
        notice.attempts,
    )


def next_due(session: Session, after: datetime) -> datetime | None:
    """When the next notice is due, if any is waiting."""
    due: datetime | None = session.execute(
        select(func.min(col(Notice.due_at))).where(col(Notice.due_at) > after)
    ).scalar_one()
    return due


def notices(
    session: Session, account_id: str, *, before: int | None = None, limit: int = 50
) -> Sequence[Notice]:
    """Notices of an account, newest first, those older than `before`."""
    query = select(Notice).where(col(Notice.account_id) == account_id)
    if before is not None:
        query = query.where(col(Notice.id) < before)
    return list(session.execute(query.order_by(col(Notice.id).desc()).limit(limit)).scalars())


def mark_delivered(session: Session, notice_id: int, now: datetime) -> None:
    """The contact has it."""
    _update(session, notice_id, delivered_at=now, due_at=None, error=None)


def mark_failed(session: Session, notice_id: int, due_at: datetime, error: str) -> None:
    """An attempt failed; another follows."""
    _update(session, notice_id, due_at=due_at, error=error)


def mark_given_up(session: Session, notice_id: int, now: datetime, error: str) -> None:
    """No attempt follows."""
    _update(session, notice_id, given_up_at=now, due_at=None, error=error)


def _update(session: Session, notice_id: int, **values: Any) -> None:
    session.execute(
        update(Notice)
        .where(col(Notice.id) == notice_id)
        .values(attempts=col(Notice.attempts) + 1, **values)
        .execution_options(synchronize_session=False)
    )


def purge_notices(session: Session, before: datetime) -> None:
    """Forget what was delivered or given up and is older."""
    session.execute(delete(Notice).where(col(Notice.due_at).is_(None), col(Notice.created_at) < before))

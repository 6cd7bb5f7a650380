"""One call with all that is stored of it."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col

from controller.store import pushes
from controller.store.billing_tables import RatedCall
from controller.store.calls import timeline
from controller.store.tables import Call, Cdr, CdrPush, PushAttempt, Recording, TimelineEntry


@dataclass(frozen=True)
class StoredCall:
    """A call and what hangs on it, apart from their session. `record` is its CDR's, None while it goes on."""

    call: Call
    entries: list[TimelineEntry]
    record: dict[str, Any] | None
    cdr_push: CdrPush | None
    attempts: list[PushAttempt]
    recording: Recording | None
    rating: RatedCall | None


def stored_call(session: Session, name: str, account_id: str | None) -> StoredCall | None:
    """The call with this session id, or call id; of this account alone, if one is given."""
    call_id, _, host = name.partition("@")
    call = session.get(Call, call_id)
    if call is None or (host and call.session_id != name) or account_id not in (None, call.account_id):
        return None
    cdr = session.execute(select(Cdr).where(col(Cdr.call_id) == call_id)).scalar_one_or_none()
    found = StoredCall(
        call,
        timeline(session, call_id),
        None if cdr is None else cdr.record,
        session.get(CdrPush, call_id),
        pushes.attempts_of(session, call_id),
        session.get(Recording, call_id),
        session.get(RatedCall, call_id),
    )
    session.expunge_all()
    return found


def owner_of_call(session: Session, name: str) -> str | None:
    """The account whose call this is."""
    found = session.get(Call, name.partition("@")[0])
    return None if found is None else found.account_id

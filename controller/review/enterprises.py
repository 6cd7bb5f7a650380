"""Qualifications of enterprises in the review queue: submitted, taken out again, decided."""

import hashlib
import json
from datetime import datetime

from sqlmodel import Session

from controller.review.errors import ReviewOutdated
from controller.review.queue import Submission, Verdict, decide_review
from controller.store import reviews
from controller.store.enterprise_tables import Enterprise, EnterpriseState
from controller.store.reviews import QueueState, ReviewKind
from controller.store.tables import Review

_NOT_REVIEWED = {"state", "reason", "submitted_at", "decided_at"}


def submit_enterprise(session: Session, row: Enterprise, by: str, now: datetime) -> Review:
    """Have a qualification wait for a decision, as it is now."""
    row.state, row.reason, row.submitted_at = EnterpriseState.SUBMITTED, None, now
    return reviews.submit(
        session, row.account_id, ReviewKind.ENTERPRISE, row.id, version=_version(row), by=by, now=now
    )


def reopen_enterprise(session: Session, row: Enterprise) -> None:
    """Make a qualification a draft, which nobody decides on."""
    row.state = EnterpriseState.DRAFT
    reviews.withdraw(session, row.account_id, ReviewKind.ENTERPRISE, row.id)


def settle_enterprise(
    session: Session, row: Enterprise, approved: bool, by: str, now: datetime, reason: str | None = None
) -> Submission:
    """Decide on a qualification that was submitted, as who looks at it and not at the queue does."""
    waiting = reviews.waiting(session, row.account_id, ReviewKind.ENTERPRISE, row.id)
    if waiting is None:
        # It was submitted when enterprises did not go through the queue.
        waiting = submit_enterprise(session, row, "", row.submitted_at or now)
    assert waiting.id is not None
    state = QueueState.APPROVED if approved else QueueState.REJECTED
    kinds = {str(ReviewKind.ENTERPRISE): decide_enterprise}
    return decide_review(session, kinds, waiting.id, state, by=by, reason=reason, now=now)


def decide_enterprise(session: Session, account_id: str, enterprise_id: str, verdict: Verdict) -> None:
    """Bring a verdict of the review queue into force. Raises ReviewOutdated."""
    row = session.get(Enterprise, enterprise_id)
    if (
        row is None
        or row.account_id != account_id
        or row.state != EnterpriseState.SUBMITTED
        or _version(row) != verdict.version
    ):
        raise ReviewOutdated(f"{enterprise_id} is no longer what was submitted")
    row.state = EnterpriseState.APPROVED if verdict.approved else EnterpriseState.REJECTED
    row.reason, row.decided_at = verdict.reason, verdict.at


def _version(row: Enterprise) -> str:
    told = row.model_dump(mode="json", exclude=_NOT_REVIEWED)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

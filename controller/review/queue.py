"""The review queue: who may decide looks at submissions, oldest first, and approves or rejects them.

A kind of thing joins the queue with one function, which is told of every decision in its transaction. The
contacts of the account are told in the same transaction, so that no decision is made that nobody hears of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlmodel import Session

from controller.clock import Clock
from controller.review.errors import ReviewDecided, ReviewUnknown
from controller.store import reviews
from controller.store.database import Database
from controller.store.directory import count_change
from controller.store.notices import tell_contacts
from controller.store.reviews import QueueState
from controller.store.tables import Review

MAX_REASON = 500
"""Characters."""


@dataclass(frozen=True)
class Submission:
    """What waits, or waited, for a decision. `kind` and `subject` are the thing's, `by` who submitted it."""

    id: int
    account_id: str
    kind: str
    subject: str
    version: str
    state: QueueState
    submitted_at: datetime
    submitted_by: str
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None


@dataclass(frozen=True)
class Verdict:
    """A decision on what was submitted as `version`; `reason` says why it was rejected."""

    approved: bool
    version: str
    at: datetime
    reason: str | None = None


Decide = Callable[[Session, str, str, Verdict], None]
"""Brings a verdict into force for (account, subject). Raises ReviewOutdated when that is another version."""


class ReviewQueue:
    """The queue of everything that is reviewed. `wake` is called when contacts are to be told something."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        kinds: Mapping[str, Decide],
        wake: Callable[[datetime], None] = lambda due_at: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._kinds = kinds
        self._wake = wake

    async def page(
        self,
        *,
        state: QueueState | None = QueueState.PENDING,
        kind: str | None = None,
        account_id: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> list[Submission]:
        """Submissions, oldest first, those behind the id `after`."""
        return await self._database.read(
            lambda session: [
                submission_of(row)
                for row in reviews.reviews(
                    session, state=state, kind=kind, account_id=account_id, after=after, limit=limit
                )
            ]
        )

    async def get(self, review_id: int, account_id: str | None = None) -> Submission:
        """One submission, of this account if one is given. Raises ReviewUnknown."""
        return await self._database.read(
            lambda session: submission_of(_found(session, review_id, account_id))
        )

    async def approve(self, review_id: int, by: str) -> Submission:
        """Let a thing be used. Raises ReviewUnknown, ReviewDecided, ReviewOutdated."""
        return await self._decided(review_id, QueueState.APPROVED, by, None)

    async def reject(self, review_id: int, by: str, reason: str) -> Submission:
        """Send a thing back. Raises ReviewUnknown, ReviewDecided, ReviewOutdated, ValueError."""
        reason = reason.strip()
        if not 1 <= len(reason) <= MAX_REASON:
            raise ValueError(f"a rejection needs a reason of 1 to {MAX_REASON} characters")
        return await self._decided(review_id, QueueState.REJECTED, by, reason)

    async def _decided(self, review_id: int, state: QueueState, by: str, reason: str | None) -> Submission:
        now = self._clock.now()
        work = partial(
            decide_review,
            kinds=self._kinds,
            review_id=review_id,
            state=state,
            by=by,
            reason=reason,
            now=now,
        )
        submission = await self._database.write(work)
        self._wake(now)
        return submission


def decide_review(
    session: Session,
    kinds: Mapping[str, Decide],
    review_id: int,
    state: QueueState,
    *,
    by: str,
    reason: str | None,
    now: datetime,
) -> Submission:
    """Decide in a transaction of somebody else's. Raises ReviewUnknown, ReviewDecided, ReviewOutdated."""
    row = _found(session, review_id)
    if not reviews.decide(session, review_id, state, by=by, reason=reason, now=now):
        raise ReviewDecided(f"submission {review_id} is {row.state}")
    verdict = Verdict(state is QueueState.APPROVED, row.version, now, reason)
    kinds[row.kind](session, row.account_id, row.subject, verdict)
    about = {"review": review_id, "kind": row.kind, "subject": row.subject}
    data = about if reason is None else {**about, "reason": reason}
    tell_contacts(session, row.account_id, f"review.{state}", data, now)
    count_change(session)
    return submission_of(_found(session, review_id))


def _found(session: Session, review_id: int, account_id: str | None = None) -> Review:
    row = reviews.review(session, review_id)
    if row is None or account_id not in (None, row.account_id):
        raise ReviewUnknown(f"there is no submission {review_id}")
    return row


def submission_of(row: Review) -> Submission:
    """What a row says."""
    assert row.id is not None
    return Submission(
        row.id,
        row.account_id,
        row.kind,
        row.subject,
        row.version,
        QueueState(row.state),
        row.submitted_at,
        row.submitted_by,
        row.decided_at,
        row.decided_by,
        row.reason,
    )

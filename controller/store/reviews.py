"""The review queue: submissions, oldest first, and what was decided."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlmodel import Session, col

from controller.store.tables import Review


class ReviewKind(StrEnum):
    """What is reviewed."""

    SOUND = "sound"
    TEMPLATE = "template"
    ENTERPRISE = "enterprise"


class QueueState(StrEnum):
    """What became of a submission."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    """The thing was changed or deleted before anybody decided."""


def submit(
    session: Session, account_id: str, kind: str, subject: str, *, version: str, by: str, now: datetime
) -> Review:
    """Put a thing into the queue. `version` is the digest of what is to be reviewed, `by` who asks."""
    withdraw(session, account_id, kind, subject)
    row = Review(
        account_id=account_id, kind=kind, subject=subject, version=version, submitted_by=by, submitted_at=now
    )
    session.add(row)
    session.flush()
    return row


def withdraw(session: Session, account_id: str, kind: str, subject: str) -> None:
    """Take a thing out of the queue, if it is there: it is no longer what was submitted."""
    session.execute(
        update(Review)
        .where(
            col(Review.account_id) == account_id,
            col(Review.kind) == kind,
            col(Review.subject) == subject,
            col(Review.state) == QueueState.PENDING,
        )
        .values(state=QueueState.WITHDRAWN)
    )


def withdraw_all(session: Session, things: Collection[tuple[str, str, str]]) -> None:
    """Take those of the things (account, kind, subject) that are in the queue out of it."""
    if not things:
        return
    # What waits for people is little, however many things there are.
    queue = session.execute(select(Review).where(col(Review.state) == QueueState.PENDING)).scalars()
    wanted = set(things)
    for row in queue:
        if (row.account_id, row.kind, row.subject) in wanted:
            row.state = QueueState.WITHDRAWN
    session.flush()


def waiting(session: Session, account_id: str, kind: str, subject: str) -> Review | None:
    """The submission of a thing that waits for a decision."""
    return session.execute(
        select(Review).where(
            col(Review.account_id) == account_id,
            col(Review.kind) == kind,
            col(Review.subject) == subject,
            col(Review.state) == QueueState.PENDING,
        )
    ).scalar_one_or_none()


def decide(
    session: Session, review_id: int, state: QueueState, *, by: str, reason: str | None, now: datetime
) -> bool:
    """Write a decision down; False if the submission no longer waits for one."""
    # One statement, so that of two who decide at once only one does.
    decided = session.execute(
        update(Review)
        .where(col(Review.id) == review_id, col(Review.state) == QueueState.PENDING)
        .values(state=state, decided_by=by, decided_at=now, reason=reason)
        .execution_options(synchronize_session=False)
        .returning(col(Review.id))
    )
    return decided.first() is not None


def review(session: Session, review_id: int) -> Review | None:
    """One submission."""
    return session.get(Review, review_id, populate_existing=True)


def reviews(
    session: Session,
    *,
    state: QueueState | None = None,
    kind: str | None = None,
    account_id: str | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[Review]:
    """Submissions, oldest first, those behind `after`."""
    query = select(Review).where(col(Review.id) > after)
    for column, value in ((Review.state, state), (Review.kind, kind), (Review.account_id, account_id)):
        if value is not None:
            query = query.where(col(column) == value)
    return list(session.execute(query.order_by(col(Review.id)).limit(limit)).scalars())

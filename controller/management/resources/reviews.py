"""The review queue: what waits for a decision, and deciding."""

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.faults import SOMETHING
from controller.management.context import Context
from controller.management.models import AccountQuery, Input, Moment, Page, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict, NotFound
from controller.management.roles import Role, Scope
from controller.review.errors import ReviewDecided, ReviewOutdated, ReviewUnknown
from controller.review.queue import MAX_REASON, Submission, submission_of
from controller.store.reviews import QueueState
from controller.store.tables import Review

operations = Operations(
    "review",
    {
        ReviewUnknown: lambda error: NotFound(),
        ReviewDecided: lambda error: Conflict(str(error)),
        ReviewOutdated: lambda error: Conflict(str(error)),
    },
)

_PREFIX = "rev-"


def _find(session: Session, review_id: str) -> Owner | None:
    found = session.get(Review, _row(review_id))
    return None if found is None else Owner(found.account_id)


REVIEW = Kind("review", "review_id", "The submission.", _find, rf"^{_PREFIX}[0-9]{{1,18}}$")


def _row(review_id: str) -> int:
    return int(review_id.removeprefix(_PREFIX))


class ReviewView(View):
    """A submission."""

    id: str
    """Names it."""
    account_id: str
    """Whose thing it is."""
    kind: str
    """What kind of thing: sound, template and the like."""
    subject: str
    """Which; of sound files the name, of templates the `template_id`."""
    state: QueueState
    """pending: it waits for a decision; withdrawn: the thing was changed or deleted before there was one."""
    submitted_at: Moment
    """Since when."""
    submitted_by: str
    """Who asked."""
    decided_at: Moment | None
    """When it was decided."""
    decided_by: str | None
    """Who decided."""
    reason: str | None
    """Why it was rejected."""


class ReviewQuery(AccountQuery):
    """Which submissions."""

    state: QueueState | None = None
    """Only those in this state."""
    kind: str | None = Field(None, max_length=32)
    """Only those of this kind of thing."""
    subject: str | None = Field(None, max_length=128)
    """Only those of this thing."""
    newest_first: bool = False
    """The other way round."""


class Rejection(Input):
    """Why."""

    reason: str = Field(min_length=1, max_length=MAX_REASON, pattern=SOMETHING)
    """What the account is told."""


def _view(made: Submission) -> ReviewView:
    return ReviewView(
        id=f"{_PREFIX}{made.id}",
        account_id=made.account_id,
        kind=made.kind,
        subject=made.subject,
        state=made.state,
        submitted_at=made.submitted_at,
        submitted_by=made.submitted_by,
        decided_at=made.decided_at,
        decided_by=made.decided_by,
        reason=made.reason,
    )


@operations.get("/reviews", needs=Role.VIEWER)
async def list_reviews(ctx: Context, query: ReviewQuery) -> Page[ReviewView]:
    """List submissions, oldest first, or newest first."""
    found = select(Review)
    if query.state is not None:
        found = found.where(col(Review.state) == query.state)
    if query.kind is not None:
        found = found.where(col(Review.kind) == query.kind)
    if query.subject is not None:
        found = found.where(col(Review.subject) == query.subject)
    return await ctx.page(
        found,
        [col(Review.id)],
        query,
        lambda row: _view(submission_of(row)),
        account=col(Review.account_id),
        descending=query.newest_first,
    )


@operations.get("/reviews/{review_id}", needs=Role.VIEWER, kinds=[REVIEW])
async def get_review(ctx: Context) -> ReviewView:
    """Read a submission."""
    return _view(await ctx.services.reviews.get(_row(ctx.path["review_id"])))


@operations.post(
    "/reviews/{review_id}/approve",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[REVIEW],
    status=200,
    problems=[Conflict],
)
async def approve_review(ctx: Context) -> ReviewView:
    """Approve what was submitted.

    Calls can use a template at once, and a sound file as soon as every node has shown that it plays it. The
    account's contacts are told.
    """
    return await _decided(ctx, await ctx.services.reviews.approve(_number(ctx), ctx.user.login))


@operations.post(
    "/reviews/{review_id}/reject",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[REVIEW],
    status=200,
    problems=[Conflict],
    example={"reason": "The company's name can't be understood."},
)
async def reject_review(ctx: Context, body: Rejection) -> ReviewView:
    """Reject what was submitted. The account's contacts are told why."""
    return await _decided(ctx, await ctx.services.reviews.reject(_number(ctx), ctx.user.login, body.reason))


def _number(ctx: Context) -> int:
    return _row(ctx.path["review_id"])


async def _decided(ctx: Context, made: Submission) -> ReviewView:
    view = _view(made)
    await ctx.note("review", view.id, after=view)
    await ctx.services.directory.refresh()
    return view

"""Enterprises: for whom an account makes calls. A qualification is submitted, then approved or rejected."""

import secrets
from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.accounts.qualification import (
    LARGEST_DOCUMENT,
    MEDIA_TYPES,
    FullName,
    Qualification,
    media_type_of,
    missing_of,
    told_of,
)
from controller.faults import SOMETHING
from controller.management.context import Change, Context
from controller.management.models import AccountQuery, Edit, Input, Moment, OwnAccount, Page, Query, View
from controller.management.operations import Download, Kind, Operations, Owner, Upload
from controller.management.problems import Conflict, Fault, Invalid, NotFound, wrong_field
from controller.management.roles import Role, Scope
from controller.review import enterprises as qualifications
from controller.review.errors import ReviewDecided, ReviewOutdated
from controller.review.queue import MAX_REASON
from controller.store.enterprise_tables import DocumentKind, Enterprise, EnterpriseDocument, EnterpriseState

operations = Operations(
    "enterprise",
    {
        ReviewDecided: lambda error: Conflict(str(error)),
        ReviewOutdated: lambda error: Conflict(str(error)),
    },
)

_ENDINGS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


def _find(session: Session, enterprise_id: str) -> Owner | None:
    found = session.get(Enterprise, enterprise_id)
    return None if found is None else Owner(found.account_id)


ENTERPRISE = Kind("enterprise", "enterprise_id", "The enterprise's id.", _find)


class DocumentView(View):
    """A document that was uploaded."""

    media_type: str
    """Its kind of file."""
    bytes: int
    """Its size."""
    digest: str
    """SHA-256 of it."""


class EnterpriseView(View):
    """An enterprise and its qualification."""

    id: str
    """Names it."""
    account_id: str
    """Whose it is."""
    state: EnterpriseState
    """How far its qualification has come."""
    reason: str | None
    """Why it was rejected last."""
    full_name: str
    """As on the licence."""
    code: str
    """Number of the licence, or organisation code."""
    phone: str
    """Of the company."""
    legal_representative: str
    """Who stands for the company."""
    scenario: str
    """What calls are made for."""
    script: str
    """What calls say."""
    calls_per_day: int | None
    """Expected calls in a day."""
    peak_calls: int | None
    """Expected calls at a time."""
    handler_name: str
    """The person who handles it."""
    handler_phone: str
    """Their phone."""
    handler_address: str
    """Their address."""
    documents: dict[DocumentKind, DocumentView]
    """Those that were uploaded."""
    submitted_at: Moment | None
    """When it was submitted last."""
    decided_at: Moment | None
    """When it was approved or rejected last."""


class _Qualification(Qualification, Input):
    pass


class NewEnterprise(_Qualification):
    """An enterprise to be; what is missing can come later."""

    full_name: FullName
    """As on the licence."""
    account_id: OwnAccount = None


class EnterpriseEdit(_Qualification, Edit):
    """What changes; the rest stays."""

    full_name: FullName = ""
    """As on the licence."""


class Rejection(Input):
    """Why not."""

    reason: str = Field(min_length=1, max_length=MAX_REASON, pattern=SOMETHING)
    """What must be changed, for those who submitted it and for the account's contacts."""


class EnterpriseQuery(AccountQuery):
    """Which enterprises."""

    state: EnterpriseState | None = None
    """Those in this state."""


class DocumentQuery(Query):
    """Which document."""

    kind: DocumentKind
    """What it is."""


class DocumentRead(View):
    """What the audit trail says of somebody who read a document."""

    document: DocumentKind
    """Which one."""


def view(row: Enterprise) -> EnterpriseView:
    """The enterprise as it is shown."""
    return EnterpriseView.model_validate(row.model_dump())


@operations.get("/enterprises", needs=Role.VIEWER)
async def list_enterprises(ctx: Context, query: EnterpriseQuery) -> Page[EnterpriseView]:
    """List enterprises."""
    statement = select(Enterprise)
    if query.state is not None:
        statement = statement.where(col(Enterprise.state) == query.state)
    return await ctx.page(statement, [col(Enterprise.id)], query, view, account=col(Enterprise.account_id))


@operations.post(
    "/enterprises",
    needs=Role.DEVELOPER,
    example={"account_id": "acme", "full_name": "Acme (Hangzhou) Co., Ltd.", "code": "91330100000000000X"},
)
async def create_enterprise(ctx: Context, body: NewEnterprise) -> EnterpriseView:
    """Create an enterprise, as a draft."""
    enterprise_id = f"ent_{secrets.token_hex(10)}"

    def create(change: Change) -> EnterpriseView:
        given = body.model_dump(exclude={"account_id"})
        row = Enterprise(id=enterprise_id, account_id=ctx.account, **given)
        change.session.add(row)
        change.session.flush()
        made = view(row)
        change.record("enterprise", row.id, account_id=row.account_id, after=made)
        return made

    return await ctx.change(create)


@operations.get("/enterprises/{enterprise_id}", needs=Role.VIEWER, kinds=[ENTERPRISE])
async def get_enterprise(ctx: Context) -> EnterpriseView:
    """Read an enterprise."""
    return await ctx.read(lambda session: view(session.get_one(Enterprise, ctx.path["enterprise_id"])))


@operations.patch(
    "/enterprises/{enterprise_id}",
    needs=Role.DEVELOPER,
    kinds=[ENTERPRISE],
    problems=[Conflict],
    example={"scenario": "Tell customers that their parcel has come."},
)
async def edit_enterprise(ctx: Context, body: EnterpriseEdit) -> EnterpriseView:
    """Change an enterprise that is not approved.

    It is a draft then: what was submitted must be submitted again.
    """

    def edit(change: Change, row: Enterprise) -> None:
        _reopen(change, row)
        for name, value in body.model_dump(include=body.model_fields_set).items():
            setattr(row, name, value)

    return await _changed(ctx, edit)


@operations.operation(
    "PUT",
    "/enterprises/{enterprise_id}/document",
    needs=Role.DEVELOPER,
    kinds=[ENTERPRISE],
    problems=[Conflict],
    max_body=LARGEST_DOCUMENT,
    media_types=MEDIA_TYPES,
)
async def put_enterprise_document(ctx: Context, query: DocumentQuery, body: Upload) -> EnterpriseView:
    """Upload a document of an enterprise that is not approved, in place of the one before.

    PDF, JPEG or PNG, at most 5 MB.
    """
    if media_type_of(body.content) != body.media_type:
        raise wrong_field("content", f"is not {body.media_type}")
    told = DocumentView(**told_of(body.content))

    def put(change: Change, row: Enterprise) -> None:
        _reopen(change, row)
        row.documents = {**row.documents, query.kind.value: told.model_dump()}
        change.session.merge(EnterpriseDocument(enterprise_id=row.id, kind=query.kind, content=body.content))

    return await _changed(ctx, put)


@operations.get(
    "/enterprises/{enterprise_id}/document", needs=Role.OPERATOR, kinds=[ENTERPRISE], problems=[NotFound]
)
async def get_enterprise_document(ctx: Context, query: DocumentQuery) -> Download:
    """Download a document of an enterprise."""

    def read(session: Session) -> Download:
        key = (ctx.path["enterprise_id"], query.kind)
        found = session.get(EnterpriseDocument, key)
        if found is None:
            raise NotFound("There is no such document")
        row = session.get_one(Enterprise, found.enterprise_id)
        media_type = row.documents[query.kind]["media_type"]
        return Download(found.content, media_type, f"{row.id}-{query.kind}.{_ENDINGS[media_type]}")

    document = await ctx.read(read)
    await ctx.note("enterprise", ctx.path["enterprise_id"], after=DocumentRead(document=query.kind))
    return document


@operations.post("/enterprises/{enterprise_id}/submit", status=200, needs=Role.DEVELOPER, kinds=[ENTERPRISE])
async def submit_enterprise(ctx: Context) -> EnterpriseView:
    """Submit an enterprise's qualification for review: it waits in the review queue then.

    Every field and every document must be there; `errors` names those that are not.
    """

    def submit(change: Change, row: Enterprise) -> None:
        _check_state(row, EnterpriseState.DRAFT, EnterpriseState.REJECTED)
        _check_complete(row)
        qualifications.submit_enterprise(change.session, row, ctx.user.login, ctx.services.clock.now())

    return await _changed(ctx, submit)


@operations.post(
    "/enterprises/{enterprise_id}/approve",
    status=200,
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[ENTERPRISE],
    locked=True,
)
async def approve_enterprise(ctx: Context) -> EnterpriseView:
    """Approve a qualification that was submitted, as If-Match says that it was read.

    It leaves the review queue, and the account's contacts are told.
    """

    def approve(change: Change, row: Enterprise) -> None:
        _check_state(row, EnterpriseState.SUBMITTED)
        qualifications.settle_enterprise(change.session, row, True, ctx.user.login, ctx.services.clock.now())

    return await _changed(ctx, approve)


@operations.post(
    "/enterprises/{enterprise_id}/reject",
    status=200,
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[ENTERPRISE],
    locked=True,
    example={"reason": "The licence can't be read."},
)
async def reject_enterprise(ctx: Context, body: Rejection) -> EnterpriseView:
    """Reject a qualification that was submitted, as If-Match says that it was read.

    It leaves the review queue, and the account's contacts are told why.
    """

    def reject(change: Change, row: Enterprise) -> None:
        _check_state(row, EnterpriseState.SUBMITTED)
        now, reason = ctx.services.clock.now(), body.reason.strip()
        qualifications.settle_enterprise(change.session, row, False, ctx.user.login, now, reason)

    return await _changed(ctx, reject)


async def _changed(ctx: Context, work: Any) -> EnterpriseView:
    """What belongs to every change of an enterprise."""

    def whole(change: Change) -> EnterpriseView:
        row = change.find(Enterprise, ctx.path["enterprise_id"])
        before = view(row)
        if ctx.operation.locked:
            change.expect(before)
        work(change, row)
        change.session.flush()
        after = view(row)
        change.record("enterprise", row.id, account_id=row.account_id, before=before, after=after)
        return after

    return await ctx.change(whole)


def _reopen(change: Change, row: Enterprise) -> None:
    """What is edited is a draft. Raises Conflict if it can't be edited any more."""
    _check_state(row, EnterpriseState.DRAFT, EnterpriseState.SUBMITTED, EnterpriseState.REJECTED)
    qualifications.reopen_enterprise(change.session, row)


def _check_state(row: Enterprise, *states: EnterpriseState) -> None:
    if row.state not in states:
        raise Conflict(f"It is {row.state}; this is for what is {' or '.join(states)}")


def _check_complete(row: Enterprise) -> None:
    """Raises Invalid, which names all that is missing."""
    missing = missing_of(row)
    if missing:
        faults = [Fault(place="body", field=name, detail="is missing") for name in missing]
        raise Invalid(f"missing: {', '.join(missing)}", errors=faults)

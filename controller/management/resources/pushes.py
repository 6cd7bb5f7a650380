"""Pushes: what became of them, what customers do not have yet, and having it pushed again."""

from typing import Annotated

from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlalchemy.orm import object_session
from sqlmodel import Session, col

from controller.management.context import Change, Context
from controller.management.models import AccountQuery, Identifier, Input, Moment, OwnAccount, Page, View, When
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict, NotFound, wrong_field
from controller.management.roles import Role
from controller.pushes.push import endpoint_url
from controller.pushes.receiver import Failure
from controller.pushes.resending import NotToldAgain
from controller.store import outbox
from controller.store import pushes as rows
from controller.store.tables import App, CdrPush, PushAttempt, PushEndpoint

operations = Operations("push", {NotToldAgain: lambda error: Conflict(str(error))})

_LARGEST_ID = 2**31 - 1
"""Of PostgreSQL's INTEGER."""


def _owner_of_attempt(session: Session, attempt_id: str) -> Owner | None:
    number = int(attempt_id)
    row = session.get(PushAttempt, number) if number <= _LARGEST_ID else None
    return None if row is None else Owner(_owner(session, row.app_key))


ATTEMPT = Kind(
    "attempt at a push", "attempt_id", "The attempt's id.", _owner_of_attempt, r"^[1-9][0-9]{0,9}$"
)


class PushAttemptView(View):
    """An attempt at a push, once for each call that it told of."""

    id: int
    """Names it; a later one has a larger number."""
    call_id: str
    """Of which call it told."""
    account_id: str
    """Whose it is."""
    app_key: str
    """Whose receiver it went to."""
    message_id: str
    """The same at every attempt."""
    event_type: str
    """What it told."""
    sequence: int | None
    """Its number in the call; null: a CDR."""
    attempt: int
    """1 is the first."""
    at: Moment
    """When."""
    url: str
    """Where it went, without its query."""
    latency_ms: int
    """From connecting to the answer."""
    status: int | None
    """Of HTTP; null: no answer."""
    failure: str | None
    """What kind of failure; null: the receiver took it."""
    error: str | None
    """In words."""


class PushedOnceMore(View):
    """What became of a push that was made by hand."""

    message_id: str
    """The same as at the earlier attempts, unless a CDR had travelled with others."""
    attempt: int
    """1 is the first."""
    url: str
    """Where it went, without its query."""
    latency_ms: int
    """From connecting to the answer."""
    status: int | None
    """Of HTTP; null: no answer."""
    failure: str | None
    """What kind of failure; null: the receiver took it."""
    error: str | None
    """In words."""


class AttemptsQuery(AccountQuery):
    """Which attempts."""

    call_id: str | None = Field(None, max_length=64)
    """That told of this call."""
    app_key: Identifier | None = None
    """To receivers of this application."""
    failed: bool | None = None
    """true: only those that failed; false: only the others."""


class UndeliveredView(View):
    """A CDR that its customer does not have yet."""

    call_id: str
    """Of which call."""
    account_id: str
    """Whose it is."""
    app_key: str
    """Of which application."""
    url: str
    """Where it goes, without its query."""
    ended_at: Moment
    """When the call was over."""
    attempts: int
    """So far."""
    due_at: Moment | None
    """When the next one is due; null: none is."""
    filed_at: Moment | None
    """When it was written to the CDR file, after the last attempt."""


class UndeliveredQuery(AccountQuery):
    """Which CDRs."""

    app_key: Identifier | None = None
    """Of this application."""
    since: When | None = None
    """Of calls that ended then or later."""


class PushAgain(Input):
    """Which CDRs are pushed again; each condition narrows them."""

    account_id: OwnAccount = None
    app_key: Identifier | None = None
    """Of this application."""
    call_id: str | None = Field(None, min_length=1, max_length=64)
    """Of this call."""
    since: Annotated[When | None, Field(strict=False)] = None
    """Of calls that ended then or later."""


class PushedAgain(View):
    """What is pushed again."""

    cdrs: int
    """How many CDRs."""


class EndpointView(View):
    """A receiver that has failed since it last worked; the others are well."""

    account_id: str
    """Whose it is."""
    app_key: str
    """Of which application."""
    url: str
    """Its address without its query."""
    failing_since: Moment
    """When it began."""
    failed_at: Moment
    """When it failed last."""
    failures: int
    """Since then."""
    error: str
    """The last one, in words."""
    disabled_at: Moment | None
    """From when on it is sent nothing more; null: it still is."""


def _http_address(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("must be an http or https address")
    return text


class Enabling(Input):
    """A receiver that is to be sent everything again."""

    account_id: OwnAccount = None
    app_key: Identifier
    """Of which application."""
    url: Annotated[str, AfterValidator(_http_address)] | None = Field(None, max_length=2000)
    """Its address; null: all of the application's."""


class Enabled(View):
    """Receivers that are sent everything again."""

    urls: list[str]
    """Their addresses."""


_ACCOUNT = col(App.account_id)


@operations.get("/push-attempts", needs=Role.VIEWER)
async def list_push_attempts(ctx: Context, query: AttemptsQuery) -> Page[PushAttemptView]:
    """List attempts at pushes, newest first, for as long as the settings keep them."""
    statement = select(PushAttempt).join(App, col(App.key) == col(PushAttempt.app_key))
    if query.call_id is not None:
        statement = statement.where(col(PushAttempt.call_id) == query.call_id)
    if query.app_key is not None:
        statement = statement.where(col(PushAttempt.app_key) == query.app_key)
    if query.failed is not None:
        failed = col(PushAttempt.failure).is_not(None)
        statement = statement.where(failed if query.failed else ~failed)
    fields = set(PushAttemptView.model_fields) - {"account_id"}
    return await ctx.page(
        statement,
        [col(PushAttempt.id)],
        query,
        lambda row: PushAttemptView(account_id=_account_of(row), **row.model_dump(include=fields)),
        account=_ACCOUNT,
        descending=True,
    )


@operations.post(
    "/push-attempts/{attempt_id}/push-again",
    status=200,
    needs=Role.DEVELOPER,
    kinds=[ATTEMPT],
    problems=[Conflict],
)
async def push_attempt_again(ctx: Context) -> PushedOnceMore:
    """Push once more, at once, what an attempt told.

    The receiver gets the same message, signed anew; a CDR travels alone. No schedule changes: what is to be
    tried again by itself still is.
    """
    resent = await ctx.services.resender.resend(int(ctx.path["attempt_id"]))
    if resent is None:
        raise NotFound
    push, delivery = resent.push, resent.delivery
    if delivery.failure is Failure.DISABLED:
        raise Conflict("The receiver is disabled: enable it first")
    return PushedOnceMore(
        message_id=push.message_id,
        attempt=push.attempt,
        url=push.endpoint.url,
        latency_ms=delivery.latency_ms,
        status=delivery.status,
        failure=delivery.failure,
        error=delivery.error,
    )


@operations.get("/undelivered-cdrs", needs=Role.VIEWER)
async def list_undelivered_cdrs(ctx: Context, query: UndeliveredQuery) -> Page[UndeliveredView]:
    """List CDRs that customers do not have yet, oldest first: waiting, held back, or filed."""
    statement = (
        select(CdrPush)
        .join(App, col(App.key) == col(CdrPush.app_key))
        .where(col(CdrPush.delivered_at).is_(None))
    )
    if query.app_key is not None:
        statement = statement.where(col(CdrPush.app_key) == query.app_key)
    if query.since is not None:
        statement = statement.where(col(CdrPush.ended_at) >= query.since)
    keys = [col(CdrPush.ended_at), col(CdrPush.call_id)]
    return await ctx.page(statement, keys, query, _undelivered, account=_ACCOUNT)


def _undelivered(row: CdrPush) -> UndeliveredView:
    return UndeliveredView(
        call_id=row.call_id,
        account_id=_account_of(row),
        app_key=row.app_key,
        url=endpoint_url(row.url),
        ended_at=row.ended_at,
        attempts=row.attempts,
        due_at=row.due_at,
        filed_at=row.filed_at,
    )


@operations.post(
    "/undelivered-cdrs/push-again",
    status=200,
    needs=Role.DEVELOPER,
    example={"since": "2026-11-24T00:00:00Z"},
)
async def push_cdrs_again(ctx: Context, body: PushAgain) -> PushedAgain:
    """Push an account's undelivered CDRs now, on the whole schedule again, and enable their receivers."""
    account_id = ctx.account
    now = ctx.services.clock.now()

    def push(change: Change) -> PushedAgain:
        session = change.session
        found = [
            row
            for row in outbox.undelivered(session, body.app_key, body.since, body.call_id)
            if _owner(session, row.app_key) == account_id
        ]
        outbox.push_again(session, [row.call_id for row in found], now)
        for app_key, url in {(row.app_key, endpoint_url(row.url)) for row in found}:
            rows.enable_endpoint(session, app_key, url)
        pushed = PushedAgain(cdrs=len(found))
        change.record("cdr", body.call_id or body.app_key or "all", account_id=account_id, after=pushed)
        return pushed

    return await ctx.change(push)


def _account_of(row: CdrPush | PushAttempt | PushEndpoint) -> str:
    """Whose it is; each application is read once for a page."""
    session = object_session(row)
    assert session is not None
    return session.get_one(App, row.app_key).account_id


def _owner(session: Session, app_key: str) -> str | None:
    app = session.get(App, app_key)
    return None if app is None else app.account_id


@operations.get("/push-endpoints", needs=Role.VIEWER)
async def list_push_endpoints(ctx: Context, query: AccountQuery) -> Page[EndpointView]:
    """List receivers that have failed since they last worked, and those that are disabled."""
    fields = set(EndpointView.model_fields) - {"account_id"}
    return await ctx.page(
        select(PushEndpoint).join(App, col(App.key) == col(PushEndpoint.app_key)),
        [col(PushEndpoint.app_key), col(PushEndpoint.url)],
        query,
        lambda row: EndpointView(account_id=_account_of(row), **row.model_dump(include=fields)),
        account=_ACCOUNT,
    )


@operations.post(
    "/push-endpoints/enable", status=200, needs=Role.DEVELOPER, example={"app_key": "acme-alarms"}
)
async def enable_push_endpoints(ctx: Context, body: Enabling) -> Enabled:
    """Forget what is held against an application's receivers: pushes go there again."""
    account_id = ctx.account
    try:
        wanted = None if body.url is None else endpoint_url(body.url)
    except ValueError:
        raise wrong_field("url", "is no address") from None

    def enable(change: Change) -> Enabled:
        session = change.session
        urls = []
        if _owner(session, body.app_key) == account_id:
            urls = [
                row.url
                for row in rows.troubled_endpoints(session)
                if row.app_key == body.app_key and wanted in (None, row.url)
            ]
        for url in urls:
            rows.enable_endpoint(session, body.app_key, url)
        enabled = Enabled(urls=urls)
        change.record("endpoint", body.app_key, account_id=account_id, after=enabled)
        return enabled

    return await ctx.change(enable)

"""Calls: found by any part of what is known of them, told in full, hung up."""

from typing import Annotated, Literal

from pydantic import Field

from controller.capture.pcap import MEDIA_TYPE, pcap
from controller.details.calls_csv import calls_csv
from controller.details.ladder import ladder_text
from controller.details.ladder_svg import ladder_svg
from controller.details.picture import timeline_svg
from controller.details.report import CallReport
from controller.details.search import CallSummary
from controller.management.context import Context
from controller.management.models import AccountQuery, Identifier, Moment, OfAccount, Page, Query, View, When
from controller.management.operations import Download, Kind, Operations, Owner, Pieces
from controller.management.problems import Conflict, NotFound, wrong_field
from controller.management.roles import Role, Scope
from controller.store.call_detail import owner_of_call
from controller.store.call_filter import CallFilter, FilterError
from controller.store.tables import Service

operations = Operations("call", {FilterError: lambda error: wrong_field(error.field, error.reason, "query")})

CALL = Kind(
    "call",
    "call_id",
    "The call: what its sessionId has before the @, or all of it.",
    lambda session, name: None if (found := owner_of_call(session, name)) is None else Owner(found),
    r"^[A-Za-z0-9_]{1,64}(@[A-Za-z0-9.-]{1,128})?$",
)


class CallView(View):
    """A call."""

    id: str
    """The sessionId without its host."""
    session_id: str
    """The sessionId."""
    account_id: str
    """Whose it is."""
    app_key: str
    """The application that asked for it."""
    service: Service
    """Which service."""
    caller: str
    """The first phone of a callback, else the number shown."""
    callee: str
    """Whom it is for."""
    accepted_at: Moment
    """When it was asked for."""
    answered_at: Moment | None
    """When whom it is for answered; null: not, or the call goes on."""
    ended_at: Moment | None
    """When it was over; null: it goes on."""
    state_code: int | None
    """How it ended; null: it goes on."""
    talk_seconds: float | None
    """From that answer to the end; null: it goes on."""


class CallDetail(CallView):
    """A call, and with `view=debug` all that is known of it."""

    debug: CallReport | None
    """Everything needed to understand it; null without `view=debug`."""


class CallsQuery(OfAccount):
    """Which calls; all conditions must be met."""

    app_key: Identifier | None = None
    """Of this application."""
    service: Service | None = None
    """Of this service."""
    result: list[Annotated[int, Field(ge=0, le=99_999)]] = Field([], max_length=20)
    """With this stateCode; can stand several times."""
    session_id: str | None = Field(None, max_length=256)
    """With this part of the sessionId."""
    caller: str | None = Field(None, max_length=64)
    """With this part of the caller's number."""
    callee: str | None = Field(None, max_length=64)
    """With this part of the callee's number."""
    text: str | None = Field(None, max_length=256)
    """With this part in any of these three."""
    since: When | None = None
    """Accepted then or later."""
    until: When | None = None
    """Accepted before."""


class CallsPage(CallsQuery, AccountQuery):
    """Which calls, and which part of the list of them."""


class CallQuery(Query):
    """How much is told."""

    view: Literal["basic", "debug"] = "basic"
    """debug: everything."""


def _view(call: CallSummary) -> CallView:
    return CallView(**_fields(call))


def _fields(call: CallSummary) -> dict[str, object]:
    return {
        "id": call.call_id,
        **{name: getattr(call, name) for name in CallView.model_fields if name != "id"},
    }


@operations.get("/calls", needs=Role.VIEWER)
async def list_calls(ctx: Context, query: CallsPage) -> Page[CallView]:
    """Find calls, newest first.

    Parts of numbers and ids have three characters or more. Calls are found from the moment they are
    accepted, for as long as the settings keep them.
    """
    found = await ctx.services.search.find(
        _filter(query), of_account=ctx.account_id, cursor=query.cursor, limit=query.limit
    )
    following = None if found.next is None else ctx.following(found.next)
    return Page[CallView](items=[_view(call) for call in found.calls], next=following)


def _filter(query: CallsQuery) -> CallFilter:
    return CallFilter(
        app_key=query.app_key,
        service=query.service,
        results=frozenset(query.result),
        session_id=query.session_id,
        caller=query.caller,
        callee=query.callee,
        text=query.text,
        since=query.since,
        until=query.until,
    )


@operations.get("/calls.csv", needs=Role.VIEWER)
async def download_calls(ctx: Context, query: CallsQuery) -> Pieces:
    """Download calls as CSV (RFC 4180), all that a search finds, newest first.

    Columns are named as in `GET /calls`; times are UTC.
    """
    return Pieces(
        calls_csv(ctx.services.search, _filter(query), of_account=ctx.account_id), "text/csv", "calls.csv"
    )


@operations.get("/calls/{call_id}", needs=Role.VIEWER, kinds=[CALL])
async def get_call(ctx: Context, query: CallQuery) -> CallDetail:
    """Read a call.

    With `view=debug`: what was asked for and decided, both legs, every step, causes in words, every attempt
    at a push, cost and recording, SIP and media quality; and a sentence that says how it went.
    """
    call = await ctx.services.search.one(ctx.path["call_id"], of_account=ctx.account_id)
    if call is None:
        raise NotFound
    debug = await _report(ctx) if query.view == "debug" else None
    return CallDetail(**_fields(call), debug=debug)


async def _report(ctx: Context) -> CallReport:
    """What is known of the path's call. Raises NotFound.

    Whole SIP messages, with the addresses of carriers, are the operator's.
    """
    report = await ctx.services.details.report(
        ctx.path["call_id"], of_account=ctx.account_id, say=ctx.say, inside=ctx.user.is_operators
    )
    if report is None:
        raise NotFound
    return report


@operations.get("/calls/{call_id}/timeline.svg", needs=Role.VIEWER, kinds=[CALL])
async def get_call_picture(ctx: Context) -> Download:
    """Read the picture of a call: both legs over one axis of time, and its pushes."""
    return Download(timeline_svg(await _report(ctx), ctx.say).encode(), "image/svg+xml", "timeline.svg")


@operations.get("/calls/{call_id}/ladder.svg", needs=Role.VIEWER, kinds=[CALL])
async def get_call_ladder(ctx: Context) -> Download:
    """Read the ladder of a call as a picture: SIP of both legs, steps and pushes from top to bottom."""
    return Download(ladder_svg(await _report(ctx), ctx.say).encode(), "image/svg+xml", "ladder.svg")


@operations.get("/calls/{call_id}/ladder.txt", needs=Role.VIEWER, kinds=[CALL])
async def get_call_ladder_text(ctx: Context) -> Download:
    """Read the ladder of a call as a text of fixed width."""
    return Download(ladder_text(await _report(ctx), ctx.say).encode(), "text/plain", "ladder.txt")


@operations.get("/calls/{call_id}/capture.pcap", needs=Role.VIEWER, scope=Scope.OPERATOR, kinds=[CALL])
async def get_call_capture(ctx: Context) -> Download:
    """Read the SIP messages of a call as a capture file.

    Asterisk tells messages, not packets: headers are made up around them. Passwords' digests are masked.
    """
    messages = await ctx.services.details.messages(ctx.path["call_id"], of_account=ctx.account_id)
    if messages is None:
        raise NotFound
    return Download(pcap(messages), MEDIA_TYPE, "capture.pcap")


@operations.post("/calls/{call_id}/hang-up", needs=Role.OPERATOR, kinds=[CALL], problems=[Conflict])
async def hang_up_call(ctx: Context) -> None:
    """Hang up a call that goes on, whatever it does now; it ends with stateCode 8017."""
    call = await ctx.services.search.one(ctx.path["call_id"], of_account=ctx.account_id)
    if call is None:
        raise NotFound
    if not await ctx.services.hang_up(call.session_id, call.app_key):
        raise Conflict("The call is over, or about to be")

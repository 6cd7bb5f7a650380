"""Calls that go on, and how far each has come."""

from enum import StrEnum
from typing import Final, Literal

from pydantic import Field

from controller.calls.timeline import Kind
from controller.management.context import Context
from controller.management.models import Identifier, Moment, Query, View
from controller.management.operations import Operations
from controller.management.roles import Role
from controller.store.live_calls import LiveRow, newest_live
from controller.store.tables import Service

operations = Operations("call")


class Stage(StrEnum):
    """How far a call has come."""

    ACCEPTED = "accepted"
    """Nobody was dialled yet."""
    DIALLING = "dialling"
    """A phone is being called, and has not rung yet."""
    RINGING = "ringing"
    """It rings."""
    ANSWERED = "answered"
    """It has answered; of a callback's second phone: both talk."""


_STAGES: Final = {
    Kind.ACCEPTED: Stage.ACCEPTED,
    Kind.CALLOUT: Stage.DIALLING,
    Kind.ALERTING: Stage.RINGING,
    Kind.ANSWER: Stage.ANSWERED,
}


class LiveCallView(View):
    """A call that goes on."""

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
    stage: Stage
    """How far it has come."""
    leg: Literal["a", "b"] | None
    """Which phone that is about: a is the first, b the second of a callback; null: none was dialled."""
    stage_since: Moment
    """Since when."""
    controller: str
    """Host name of the controller that runs it."""
    node: str
    """The node that it is on."""


class LiveCallsView(View):
    """Calls that go on."""

    calls: int
    """How many there are."""
    items: list[LiveCallView]
    """The newest of them, newest first."""


class LiveCallsQuery(Query):
    """Which calls."""

    account_id: Identifier | None = None
    """The account; without it your own, and for the operator's users all accounts."""
    limit: int = Field(100, ge=1, le=500)
    """How many are listed at most."""


@operations.get("/live-calls", needs=Role.VIEWER)
async def list_live_calls(ctx: Context, query: LiveCallsQuery) -> LiveCallsView:
    """List the calls that go on now, on all nodes, and how far each has come."""
    calls, rows = await ctx.read(
        lambda session: newest_live(session, ctx.account_id, list(_STAGES), query.limit)
    )
    return LiveCallsView(calls=calls, items=[_view(row) for row in rows])


def _view(row: LiveRow) -> LiveCallView:
    step = row.step
    return LiveCallView(
        id=row.call_id,
        session_id=row.session_id,
        account_id=row.account_id,
        app_key=row.app_key,
        service=row.service,
        caller=row.caller,
        callee=row.callee,
        accepted_at=row.accepted_at,
        stage=Stage.ACCEPTED if step is None else _STAGES[Kind(step.kind)],
        leg=None if step is None or step.leg not in ("a", "b") else step.leg,
        stage_since=row.accepted_at if step is None else step.at,
        controller=row.controller,
        node=row.node,
    )

"""Spending under control: the kill switch, and alarms."""

from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.billing.kill_switch import resume_calls, stop_calls
from controller.management.context import Change, Context
from controller.management.models import AccountQuery, Input, Moment, Page, View
from controller.management.operations import Operations
from controller.management.problems import Conflict
from controller.management.resources.accounts import ACCOUNT
from controller.management.roles import Role, Scope
from controller.store.billing_tables import EVERYTHING, Alarm, Hold
from controller.store.holds import holds, holds_of

operations = Operations("spending")


class HoldView(View):
    """What keeps calls from being made."""

    account_id: str | None
    """Whose calls; null: everybody's."""
    reason: str
    """stopped: by the kill switch; exhausted: nothing is left of the balance."""
    since: Moment
    """When it began."""
    note: str
    """Who says why."""
    ends_calls: bool
    """Whether calls under way are ended too."""


class HoldsView(View):
    """Everything that keeps calls from being made."""

    items: list[HoldView]
    """One for each account and reason."""


class Stop(Input):
    """How calls are stopped."""

    hang_up: bool = False
    """Whether calls under way are ended too."""
    note: str = Field("", max_length=200)
    """Why."""


class AlarmView(View):
    """Something that a person should look at."""

    id: int
    """Names it; a later one has a larger number."""
    account_id: str
    """Whose calls or money it is about."""
    kind: str
    """spending, neighbours, answer rate, low balance, frozen or thawed."""
    at: Moment
    """When it was noticed."""
    detail: dict[str, Any]
    """Its figures."""


def hold_view(row: Hold) -> HoldView:
    """How a hold is shown."""
    return HoldView(
        account_id=None if row.scope == EVERYTHING else row.scope,
        reason=row.reason,
        since=row.since,
        note=row.note,
        ends_calls=row.ends_calls,
    )


@operations.get("/alarms", needs=Role.VIEWER)
async def list_alarms(ctx: Context, query: AccountQuery) -> Page[AlarmView]:
    """List alarms, newest first."""
    key, account = col(Alarm.id), col(Alarm.account_id)
    fields = set(AlarmView.model_fields)
    return await ctx.page(
        select(Alarm),
        [key],
        query,
        lambda row: AlarmView(**row.model_dump(include=fields)),
        account=account,
        descending=True,
    )


@operations.get("/holds", needs=Role.VIEWER, scope=Scope.OPERATOR)
async def list_holds(ctx: Context) -> HoldsView:
    """List what keeps accounts, or everybody, from making calls."""
    return HoldsView(items=await ctx.read(lambda session: [hold_view(row) for row in holds(session)]))


@operations.get("/accounts/{account_id}/holds", needs=Role.VIEWER, kinds=[ACCOUNT])
async def list_account_holds(ctx: Context) -> HoldsView:
    """List what keeps an account from making calls."""
    return HoldsView(items=await ctx.read(lambda session: _holds_of(session, ctx.account)))


@operations.post(
    "/accounts/{account_id}/stop-calls",
    status=200,
    needs=Role.OPERATOR,
    kinds=[ACCOUNT],
    example={"hang_up": True, "note": "The secret was stolen"},
)
async def stop_account_calls(ctx: Context, body: Stop) -> HoldsView:
    """Pull the kill switch of an account: no new calls from now on.

    The account's own people may do it too; only the operator's can take it back.
    """
    return await _stop(ctx, ctx.account, body)


@operations.post(
    "/accounts/{account_id}/resume-calls",
    status=200,
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[ACCOUNT],
)
async def resume_account_calls(ctx: Context) -> HoldsView:
    """Let an account make calls again that was stopped."""
    return await _resume(ctx, ctx.account)


@operations.post(
    "/stop-calls",
    status=200,
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    example={"hang_up": False, "note": "Carrier reports fraud"},
)
async def stop_all_calls(ctx: Context, body: Stop) -> HoldsView:
    """Pull the kill switch of the whole platform: no new calls from now on."""
    return await _stop(ctx, None, body)


@operations.post("/resume-calls", status=200, needs=Role.OPERATOR, scope=Scope.OPERATOR)
async def resume_all_calls(ctx: Context) -> HoldsView:
    """Let calls be made again after the kill switch of the whole platform."""
    return await _resume(ctx, None)


async def _stop(ctx: Context, account_id: str | None, body: Stop) -> HoldsView:
    def stop(change: Change) -> HoldsView:
        before = _shown(change.session, account_id)
        note = f"{ctx.user.login}: {body.note}" if body.note else ctx.user.login
        stop_calls(change.session, account_id, ctx.services.clock.now(), note, hang_up=body.hang_up)
        return _told(change, account_id, before)

    return await ctx.change(stop)


async def _resume(ctx: Context, account_id: str | None) -> HoldsView:
    def resume(change: Change) -> HoldsView:
        before = _shown(change.session, account_id)
        if not resume_calls(change.session, account_id):
            raise Conflict("They are not stopped")
        return _told(change, account_id, before)

    return await ctx.change(resume)


def _told(change: Change, account_id: str | None, before: HoldsView) -> HoldsView:
    change.session.flush()
    after = _shown(change.session, account_id)
    change.record("kill switch", account_id or "everything", before=before, after=after)
    change.in_force()
    return after


def _shown(session: Session, account_id: str | None) -> HoldsView:
    return HoldsView(items=_holds_of(session, EVERYTHING if account_id is None else account_id))


def _holds_of(session: Session, scope: str) -> list[HoldView]:
    return [hold_view(row) for row in holds_of(session, scope)]

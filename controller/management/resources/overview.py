"""How the platform does now: calls, what fails and why, what waits for somebody."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.billing import ledger
from controller.details.figures import ALARMS, SERIES, WINDOW, Figures
from controller.details.words import end
from controller.management.context import Context
from controller.management.models import Identifier, Moment, Money, Query, View
from controller.management.operations import Operations
from controller.management.resources.spending import AlarmView, HoldView, hold_view
from controller.management.resources.trunks import TrunkStateView, trunk_state_view
from controller.management.roles import Role
from controller.store.billing_tables import EVERYTHING, Alarm
from controller.store.holds import holds
from controller.store.tables import Account, Service

operations = Operations("overview")

_STEP: Final = timedelta(seconds=5)
_NOW: Final = timedelta(seconds=5)
"""Calls per second are those of so long, that is just over."""
_ALARMS_TOLD: Final = 3


class ServiceCalls(View):
    """Calls of a service that go on."""

    service: Service
    """Which."""
    calls: int
    """How many."""


class FailureView(View):
    """Calls that ended in the same way, not normally."""

    state_code: int
    """The stateCode."""
    text: str
    """What it means."""
    calls: int
    """How many."""


class EndsView(View):
    """How calls have ended lately."""

    minutes: int
    """In so many minutes until now."""
    calls: int
    """How many have ended."""
    answered: int
    """How many of them whom they were for had answered."""
    answer_rate: float | None = Field(ge=0, le=1)
    """The share of these; null: none has ended."""
    failures: list[FailureView]
    """Those that did not end normally, the most frequent first."""


class AcceptedView(View):
    """Calls that were accepted lately."""

    per_second: float
    """In the last five seconds, on average."""
    begin: Moment
    """When the first step begins."""
    step_seconds: int
    """How long each is."""
    steps: list[int]
    """Calls that were accepted in each step, the last one until now."""


class PushesView(View):
    """Pushes that wait, and receivers in trouble."""

    waiting: int
    """CDRs that are pushed when their time comes."""
    held: int
    """CDRs that are kept for disabled receivers."""
    filed: int
    """CDRs that were given up; they stand in the CDR file."""
    failing_receivers: int
    """Receivers that failed last and are tried again."""
    disabled_receivers: int
    """Receivers that are sent nothing any more."""


class MoneyView(View):
    """How an account stands."""

    currency: str
    """Of the amounts, as ISO 4217 calls it."""
    prepaid: bool
    """Whether its calls and numbers are charged."""
    balance: Money
    """What is left of what was paid."""
    is_low: bool
    """Whether so little is left that its contacts are told."""
    spent_today: Money
    """What its calls cost today, live ones so far; as the controller that is asked counts it."""
    cap: Money | None
    """What may be spent in a day; null: anything."""


class NodeStateView(View):
    """Whether a node takes calls."""

    name: str
    """What it is called in the settings."""
    available: bool
    """Whether it does."""
    draining: bool
    """Whether it gets no new calls because somebody wants that."""


class PlatformView(View):
    """How what calls go over is."""

    nodes: list[NodeStateView]
    """The Asterisk nodes."""
    trunks: list[TrunkStateView]
    """The trunks, by name."""


class OverviewView(View):
    """How it goes, for one account or all of them."""

    account_id: str | None
    """Whose figures; null: everybody's."""
    at: Moment
    """When it was looked at: a fraction of a second ago, as a rule."""
    live_calls: int
    """Calls that go on."""
    live_by_service: list[ServiceCalls]
    """The same by service."""
    accepted: AcceptedView
    """How many come."""
    ended: EndsView
    """How they end."""
    pushes: PushesView
    """What customers don't have yet."""
    reviews: int
    """Submissions that wait for a decision."""
    alarms: int
    """Raised in the last 24 hours."""
    newest_alarms: list[AlarmView]
    """The last three of them."""
    holds: list[HoldView]
    """What keeps these calls, or everybody's, from being made."""
    money: MoneyView | None
    """Of the account; null if they are everybody's figures."""
    platform: PlatformView | None
    """For the operator's users; null for others."""


class OverviewQuery(Query):
    """Whose figures."""

    account_id: Identifier | None = None
    """The account; without it your own, and for the operator's users everybody's."""


@operations.get("/overview", needs=Role.VIEWER)
async def get_overview(ctx: Context, query: OverviewQuery) -> OverviewView:
    """Read how it goes now: live calls, how many come, how they end, what waits for somebody.

    It may be asked for as often as one likes: all who ask at the same time share one look at the database.
    """
    del query
    figures = await ctx.services.figures.now()
    whose = ctx.account_id
    now = ctx.services.clock.now()
    alarms, held, money = await ctx.read(
        lambda session: (_alarms(session, whose, now), _holds(ctx, session), _money(ctx, session))
    )
    by_service = figures.live_by_service(whose)
    backlog = figures.backlog
    return OverviewView(
        account_id=whose,
        at=figures.at,
        live_calls=by_service.total(),
        live_by_service=[ServiceCalls(service=kind, calls=by_service[kind]) for kind in Service],
        accepted=_accepted(figures, whose),
        ended=_ends(figures, whose),
        pushes=PushesView(
            waiting=_of(backlog.waiting, whose),
            held=_of(backlog.held, whose),
            filed=_of(backlog.filed, whose),
            failing_receivers=_of(backlog.failing, whose),
            disabled_receivers=_of(backlog.disabled, whose),
        ),
        reviews=_of(backlog.reviews, whose),
        alarms=_of(backlog.alarms, whose),
        newest_alarms=alarms,
        holds=held,
        money=money,
        platform=_platform(ctx) if ctx.user.is_operators else None,
    )


def _of(counts: Mapping[str, int], account_id: str | None) -> int:
    return sum(counts.values()) if account_id is None else counts.get(account_id, 0)


def _accepted(figures: Figures, account_id: str | None) -> AcceptedView:
    # Steps begin at round times, so that a step stays the same while it is told again and again.
    whole = figures.at.replace(microsecond=0)
    last = whole - timedelta(seconds=whole.timestamp() % _STEP.total_seconds())
    begin = last - (SERIES - 2 * _STEP)
    steps = []
    at = begin
    while at <= last:
        steps.append(figures.accepted_in(at, at + _STEP, account_id))
        at += _STEP
    return AcceptedView(
        per_second=figures.accepted_in(whole - _NOW, whole, account_id) / _NOW.total_seconds(),
        begin=begin,
        step_seconds=int(_STEP.total_seconds()),
        steps=steps,
    )


def _ends(figures: Figures, account_id: str | None) -> EndsView:
    codes: dict[int, int] = {}
    calls = answered = 0
    for how, count in figures.ends(account_id).items():
        calls += count
        answered += count if how.answered else 0
        if how.state_code != 0:
            codes[how.state_code] = codes.get(how.state_code, 0) + count
    return EndsView(
        minutes=int(WINDOW / timedelta(minutes=1)),
        calls=calls,
        answered=answered,
        answer_rate=answered / calls if calls else None,
        failures=[
            FailureView(state_code=code, text=end(code, "the callee"), calls=count)
            for code, count in sorted(codes.items(), key=lambda its: (-its[1], its[0]))
        ],
    )


def _alarms(session: Session, account_id: str | None, now: datetime) -> list[AlarmView]:
    wanted = select(Alarm).where(col(Alarm.at) >= now - ALARMS).order_by(col(Alarm.id).desc())
    if account_id is not None:
        wanted = wanted.where(col(Alarm.account_id) == account_id)
    fields = set(AlarmView.model_fields)
    found = session.execute(wanted.limit(_ALARMS_TOLD)).scalars()
    return [AlarmView(**row.model_dump(include=fields)) for row in found]


def _holds(ctx: Context, session: Session) -> list[HoldView]:
    found = [
        hold_view(row)
        for row in holds(session)
        if ctx.account_id in (None, row.scope) or row.scope == EVERYTHING
    ]
    if ctx.user.is_operators:
        return found
    # What the operator notes of everybody's calls is not for everybody.
    return [held if held.account_id is not None else held.model_copy(update={"note": ""}) for held in found]


def _money(ctx: Context, session: Session) -> MoneyView | None:
    if ctx.account_id is None:
        return None
    account = session.get_one(Account, ctx.account_id)
    settings = ctx.services.settings.billing
    left = ledger.balance(session, account.id)
    return MoneyView(
        currency=settings.currency,
        prepaid=account.prepaid,
        balance=left,
        is_low=account.prepaid and left < ledger.low_balance_of(account, settings.low_balance),
        spent_today=ctx.services.spending.spent(account.id).total,
        cap=ctx.services.spending.cap_of(account.id),
    )


def _platform(ctx: Context) -> PlatformView:
    fleet = ctx.services.fleet
    return PlatformView(
        nodes=[
            NodeStateView(name=node.name, available=node.takes_calls, draining=node.draining)
            for node in fleet
        ],
        trunks=[trunk_state_view(node, state) for node, state in fleet.trunk_states()],
    )

"""What an account is told of its money: statements, what each call cost, usage."""

from datetime import date, timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.billing import errors as billing
from controller.billing.statements import Statement, rated_calls_csv, statement_csv, statement_of
from controller.faults import MONTH
from controller.management.context import Context
from controller.management.models import Day, Identifier, Moment, Money, Page, PageQuery, Query, View
from controller.management.operations import Download, Operations, Pieces
from controller.management.problems import wrong_field
from controller.management.resources.accounts import ACCOUNT
from controller.management.roles import Role
from controller.store import ratings
from controller.store.billing_tables import RatedCall

operations = Operations(
    "billing",
    {billing.NoMonth: lambda error: wrong_field("month", str(error), "query")},
)

_MOST_DAYS = 92


class StatementLine(View):
    """A transaction as the customer sees it."""

    id: int
    """Of the transaction."""
    at: Moment
    """When it was posted."""
    kind: str
    """calls, rent, top-up or correction."""
    text: str
    """What it was for."""
    amount: Money
    """What it did to the balance."""
    balance: Money
    """What was left after it."""
    settlement_id: int | None
    """Of calls: the settlement that rated them; null otherwise."""


class StatementView(View):
    """A month of an account."""

    account_id: str
    """Whose it is."""
    month: str
    """Which, as 2026-11."""
    begins: Moment
    """When the month begins in the zone of the bills."""
    ends: Moment
    """When the next one does."""
    currency: str
    """Of all amounts."""
    opening: Money
    """Balance at the beginning."""
    lines: list[StatementLine]
    """Every transaction, oldest first."""
    closing: Money
    """Balance at the end, or now."""
    totals: dict[str, Money]
    """What each kind comes to."""


class MonthQuery(Query):
    """Which month."""

    month: str = Field(pattern=MONTH)
    """As 2026-11."""


class UsageQuery(PageQuery):
    """Which days; at most 92."""

    since: Day | None = None
    """The first day; left out: 30 days before the last."""
    until: Day | None = None
    """The last day; left out: today."""


class UsageLine(View):
    """What an app did on a day."""

    day: date
    """In the zone of the bills."""
    app_key: str
    """The application."""
    service: str
    """callback, notification or verification."""
    calls: int
    """Calls that have ended."""
    answered: int
    """Calls of which a leg was answered."""
    legs: int
    """Legs that were answered."""
    seconds: int
    """From their answers to the ends."""
    minutes: int
    """Started ones that cost something."""
    amount: Money
    """What they cost."""


class RatedCallQuery(PageQuery):
    """Which calls."""

    app_key: Identifier | None = None
    """Only those of this application."""
    day: Day | None = None
    """Only those that ended on this day, in the zone of the bills."""
    settlement_id: int | None = Field(None, ge=1, le=2**63 - 1)
    """Only those that this settlement rated: a transaction of the ledger names it."""


class RatedCallView(View):
    """What a call cost."""

    call_id: str
    """The call."""
    app_key: str
    """Of which application."""
    service: str
    """callback, notification or verification."""
    ended_at: Moment
    """When it ended."""
    legs: int
    """Legs that were answered."""
    seconds: int
    """From their answers to the end."""
    minutes: int
    """Started ones that cost something."""
    minute_price: Money
    """Of each of them."""
    amount: Money
    """What it cost."""


@operations.get("/accounts/{account_id}/statement", needs=Role.VIEWER, kinds=[ACCOUNT])
async def get_statement(ctx: Context, query: MonthQuery) -> StatementView:
    """Read the statement of a month."""
    return _statement_view(await ctx.read(lambda session: _statement(ctx, session, query.month)))


@operations.get("/accounts/{account_id}/statement.csv", needs=Role.VIEWER, kinds=[ACCOUNT])
async def download_statement(ctx: Context, query: MonthQuery) -> Download:
    """Download the statement of a month as CSV (RFC 4180)."""
    made = await ctx.read(lambda session: _statement(ctx, session, query.month))
    text = statement_csv(made, ctx.services.calendar)
    return Download(text.encode(), "text/csv", f"statement-{ctx.account}-{query.month}.csv")


@operations.get("/accounts/{account_id}/rated-calls.csv", needs=Role.VIEWER, kinds=[ACCOUNT])
async def download_rated_calls(ctx: Context, query: MonthQuery) -> Pieces:
    """Download what each call of a month cost, as CSV, as far as it was settled."""
    pieces = await rated_calls_csv(ctx.services.database, ctx.account, query.month, ctx.services.calendar)
    return Pieces(pieces, "text/csv", f"calls-{ctx.account}-{query.month}.csv")


def _statement(ctx: Context, session: Session, month: str) -> Statement:
    return statement_of(
        session, ctx.account, month, ctx.services.calendar, ctx.services.settings.billing.currency
    )


def _statement_view(made: Statement) -> StatementView:
    lines = [
        StatementLine(
            id=line.id,
            at=line.at,
            kind=line.kind,
            text=line.text,
            amount=line.amount,
            balance=line.balance,
            settlement_id=line.settlement_id,
        )
        for line in made.lines
    ]
    return StatementView(
        account_id=made.account_id,
        month=made.month,
        begins=made.begins,
        ends=made.ends,
        currency=made.currency,
        opening=made.opening,
        lines=lines,
        closing=made.closing,
        totals=made.totals,
    )


@operations.get("/accounts/{account_id}/rated-calls", needs=Role.VIEWER, kinds=[ACCOUNT])
async def list_rated_calls(ctx: Context, query: RatedCallQuery) -> Page[RatedCallView]:
    """List what each call cost, as far as it was settled; those that ended last first."""
    statement = select(RatedCall).where(col(RatedCall.account_id) == ctx.account)
    if query.app_key is not None:
        statement = statement.where(col(RatedCall.app_key) == query.app_key)
    if query.day is not None:
        statement = statement.where(col(RatedCall.day) == query.day.isoformat())
    if query.settlement_id is not None:
        statement = statement.where(col(RatedCall.settlement_id) == query.settlement_id)
    fields = set(RatedCallView.model_fields)
    return await ctx.page(
        statement,
        [col(RatedCall.ended_at), col(RatedCall.call_id)],
        query,
        lambda row: RatedCallView(**row.model_dump(include=fields)),
        descending=True,
    )


@operations.get("/accounts/{account_id}/usage", needs=Role.VIEWER, kinds=[ACCOUNT])
async def get_usage(ctx: Context, query: UsageQuery) -> Page[UsageLine]:
    """Read what an account's apps did, day by day, as far as it was settled; the last day first."""
    last = query.until or ctx.services.calendar.day(ctx.services.clock.now())
    # The calendar's first days have no thirty before them.
    first = query.since or last - min(timedelta(days=30), last - date.min)
    if not timedelta(0) <= last - first < timedelta(days=_MOST_DAYS):
        raise wrong_field("since", f"must be at most {_MOST_DAYS - 1} days before until", "query")
    statement = ratings.usage_statement(ctx.account, first.isoformat(), last.isoformat())
    return await ctx.page(statement, list(ratings.USAGE_KEYS), query, _usage, descending=True)


def _usage(row: Any) -> UsageLine:
    fields = {name: getattr(row, name) for name in UsageLine.model_fields if name != "day"}
    return UsageLine(day=date.fromisoformat(row.day), **fields)

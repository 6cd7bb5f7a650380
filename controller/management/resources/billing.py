"""Money of an account: prices, balance, ledger, payments, what it spends today."""

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.billing import errors as billing
from controller.billing import ledger
from controller.billing.prices import OwnTariff, read_prices, set_price
from controller.management.context import Change, Context
from controller.management.models import AccountQuery, Input, Moment, Money, Page, PageQuery, View, When
from controller.management.operations import Operations
from controller.management.problems import Conflict, NotFound, wrong_field
from controller.management.resources.accounts import ACCOUNT
from controller.management.roles import Role, Scope
from controller.rules.amounts import Amount, Payment
from controller.rules.amounts import Price as PriceAmount
from controller.store import ratings
from controller.store.billing_tables import HoldReason, LedgerTransfer
from controller.store.billing_tables import Price as PriceRow
from controller.store.holds import holds_of
from controller.store.tables import Account

operations = Operations(
    "billing",
    {
        billing.AccountMissing: lambda _error: NotFound("There is no such account"),
        billing.ReferenceUsed: lambda error: Conflict(str(error)),
        billing.NotPostable: lambda error: wrong_field("amount", str(error)),
        billing.PriceInThePast: lambda error: wrong_field("valid_from", str(error)),
        billing.BillingError: lambda error: Conflict(str(error)),
    },
)


class BalanceView(View):
    """How an account stands."""

    account_id: str
    """Whose it is."""
    currency: str
    """Of all amounts, as ISO 4217 calls it."""
    prepaid: bool
    """Whether its calls and numbers are charged."""
    balance: Money
    """What is left of what was paid."""
    frozen: bool
    """Whether it makes no calls as nothing is left."""
    minute_price: Money
    """Of each started minute of each answered leg, now."""
    number_price: Money
    """Of each number and month, now."""


class SpendingView(View):
    """What an account's calls cost today."""

    account_id: str
    """Whose they are."""
    currency: str
    """Of all amounts."""
    ended: Money
    """Calls that have ended."""
    live: Money
    """Live calls so far; a leg that has not answered holds a minute."""
    cap: Money | None
    """What may be spent in a day; null: anything."""
    refused: int
    """Calls that were refused or ended for the cap, as far as this controller knows."""
    live_calls: int
    """Calls under way in this controller."""
    resets_at: Moment
    """When the next day begins."""


class PriceView(View):
    """What is charged from a moment on."""

    id: int
    """Names it."""
    valid_from: Moment
    """Until the next one begins."""
    minute_price: Money | None
    """Of each started minute of each answered leg; null: as the platform charges."""
    number_price: Money | None
    """Of each number and month; null: as the platform charges."""


class NewPrice(Input):
    """A price to be charged from now or a later moment on."""

    minute_price: PriceAmount | None = None
    """Of each started minute of each answered leg; null: as the platform charges."""
    number_price: PriceAmount | None = None
    """Of each number and month; null: as the platform charges."""
    valid_from: When | None = None
    """When it begins; null: now."""


class TransferView(View):
    """A transaction of the ledger."""

    id: int
    """Names it; a later one has a larger number."""
    at: Moment
    """When it was posted."""
    kind: str
    """calls, rent, top-up or correction."""
    debit: str
    """The ledger account that it was taken from."""
    credit: str
    """The ledger account that it was given to."""
    amount: Money
    """How much."""
    text: str
    """What it was for."""
    reference: str
    """What makes it the same transaction when it is posted again."""
    posted_by: str
    """Who posted it; empty: the platform."""
    settlement_id: int | None
    """Of calls: the settlement that rated them; null otherwise."""


class PostedView(View):
    """What was posted, and what it led to."""

    transfer: TransferView
    """The transaction; an earlier one if its reference was used for the same before."""
    balance: Money
    """What is left now."""


class TopUp(Input):
    """A payment."""

    amount: Payment
    """More than 0."""
    text: str = Field("", max_length=200)
    """What the statement says."""
    reference: str | None = Field(None, min_length=1, max_length=100)
    """The payer's or the bank's: posted again, it counts once."""


class Correction(Input):
    """Something to be put right."""

    amount: Amount
    """In the account's favour; negative: against it."""
    text: str = Field(min_length=1, max_length=200)
    """What it is for."""
    reference: str | None = Field(None, min_length=1, max_length=100)
    """Posted again with it, it counts once."""


def _transfer(row: LedgerTransfer) -> TransferView:
    return TransferView(**row.model_dump(include=set(TransferView.model_fields)))


def _price(row: PriceRow) -> PriceView:
    assert row.id is not None
    return PriceView(
        id=row.id, valid_from=row.valid_from, minute_price=row.minute, number_price=row.number_month
    )


def _balance(ctx: Context, session: Session, account: Account) -> BalanceView:
    tariff = read_prices(session).at(account.id, ctx.services.clock.now())
    return BalanceView(
        account_id=account.id,
        currency=ctx.services.settings.billing.currency,
        prepaid=account.prepaid,
        balance=ledger.balance(session, account.id),
        frozen=any(hold.reason == HoldReason.EXHAUSTED for hold in holds_of(session, account.id)),
        minute_price=tariff.minute,
        number_price=tariff.number_month,
    )


@operations.get("/accounts/{account_id}/balance", needs=Role.VIEWER, kinds=[ACCOUNT])
async def get_balance(ctx: Context) -> BalanceView:
    """Read how an account stands."""
    return await ctx.read(lambda session: _balance(ctx, session, session.get_one(Account, ctx.account)))


@operations.get("/balances", needs=Role.VIEWER)
async def list_balances(ctx: Context, query: AccountQuery) -> Page[BalanceView]:
    """Read how all accounts stand."""
    key = col(Account.id)
    found = await ctx.page(select(Account), [key], query, lambda row: row, account=key)
    items = await ctx.read(lambda session: [_balance(ctx, session, row) for row in found.items])
    return Page[BalanceView](items=items, next=found.next)


@operations.get("/accounts/{account_id}/spending", needs=Role.VIEWER, kinds=[ACCOUNT])
async def get_spending(ctx: Context) -> SpendingView:
    """Read what an account's calls cost today.

    As the controller that is asked counts it: live calls are its own.
    """
    return _spending(ctx, ctx.account)


@operations.get("/spending", needs=Role.VIEWER)
async def list_spending(ctx: Context, query: AccountQuery) -> Page[SpendingView]:
    """Read what the calls of all accounts cost today, as the controller that is asked counts it."""
    key = col(Account.id)
    return await ctx.page(select(Account), [key], query, lambda row: _spending(ctx, row.id), account=key)


def _spending(ctx: Context, account_id: str) -> SpendingView:
    spending = ctx.services.spending
    now = ctx.services.clock.now()
    spent = spending.spent(account_id)
    return SpendingView(
        account_id=account_id,
        currency=ctx.services.settings.billing.currency,
        ended=spent.ended,
        live=spent.live,
        cap=spending.cap_of(account_id),
        refused=spent.refused,
        live_calls=len(spending.live_calls(account_id)),
        resets_at=ctx.services.calendar.span_of_day(now)[1],
    )


@operations.get("/accounts/{account_id}/prices", needs=Role.VIEWER, kinds=[ACCOUNT])
async def list_prices(ctx: Context, query: PageQuery) -> Page[PriceView]:
    """List an account's own prices, also those to come, newest first."""
    statement = select(PriceRow).where(col(PriceRow.account_id) == ctx.account)
    return await ctx.page(statement, [col(PriceRow.id)], query, _price, descending=True)


@operations.post(
    "/accounts/{account_id}/prices",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[ACCOUNT],
    example={"minute_price": "0.15"},
)
async def create_price(ctx: Context, body: NewPrice) -> PriceView:
    """Have an account charged a price of its own.

    Calls are rated at the price that was in force when they were answered; no price is changed afterwards.
    """

    def create(change: Change) -> PriceView:
        now = ctx.services.clock.now()
        tariff = OwnTariff(body.minute_price, body.number_price)
        if not set_price(change.session, ctx.account, tariff, now, body.valid_from):
            raise Conflict("This is what is charged then already")
        made = _price(ratings.newest_price(change.session, ctx.account))
        change.record("price", str(made.id), after=made)
        change.in_force()
        return made

    return await ctx.change(create)


@operations.get("/accounts/{account_id}/ledger", needs=Role.VIEWER, kinds=[ACCOUNT])
async def list_transfers(ctx: Context, query: PageQuery) -> Page[TransferView]:
    """List the transactions of an account, newest first."""
    statement = select(LedgerTransfer).where(col(LedgerTransfer.account_id) == ctx.account)
    return await ctx.page(statement, [col(LedgerTransfer.id)], query, _transfer, descending=True)


@operations.post(
    "/accounts/{account_id}/top-ups",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[ACCOUNT],
    example={"amount": "500.00", "reference": "INV-2026-118"},
)
async def create_top_up(ctx: Context, body: TopUp) -> PostedView:
    """Post a payment.

    An account that was frozen makes calls again as soon as its balance is above 0.
    """
    posting = ledger.top_up(ctx.account, body.amount, body.text, ctx.user.login, body.reference)
    return await _post(ctx, posting)


@operations.post(
    "/accounts/{account_id}/corrections",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[ACCOUNT],
    example={"amount": "-5.40", "text": "Calls of 3 November"},
)
async def create_correction(ctx: Context, body: Correction) -> PostedView:
    """Put something right: a transaction of its own, never a change of another."""
    posting = ledger.correction(ctx.account, body.amount, body.text, ctx.user.login, body.reference)
    return await _post(ctx, posting)


async def _post(ctx: Context, posting: ledger.Posting) -> PostedView:
    def post(change: Change) -> PostedView:
        low = ctx.services.settings.billing.low_balance
        posted = ledger.post(change.session, posting, ctx.services.clock.now(), low)
        made = PostedView(transfer=_transfer(posted.transfer), balance=posted.balance)
        change.record("transfer", str(made.transfer.id), after=made.transfer)
        change.in_force()
        return made

    return await ctx.change(post)

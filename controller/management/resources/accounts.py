"""Accounts: the companies that have calls made."""

from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.accounts.rules import AccountRules, check_windows, rules_row
from controller.billing.ledger import review
from controller.management.context import Change, Context
from controller.management.models import Edit, Identifier, Input, Page, PageQuery, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict, wrong_field
from controller.management.roles import Role, Scope
from controller.store.tables import Account

operations = Operations("account")


def _find(session: Session, account_id: str) -> Owner | None:
    return None if session.get(Account, account_id) is None else Owner(account_id)


ACCOUNT = Kind("account", "account_id", "The account.", _find, r"^[A-Za-z0-9_-]{1,32}$")


class AccountView(View):
    """An account."""

    id: str
    """Names it everywhere."""
    name: str
    """The company."""
    active: bool
    """false: its apps can't start calls."""
    max_calls: int | None
    """Calls at a time of all its apps; null: any number."""
    calls_per_second: int | None
    """Calls accepted in any second; 0: any number; null: as the settings say."""
    prepaid: bool
    """Whether its calls and numbers are charged to a balance."""
    max_apps: int
    """Applications that it may have."""
    rules: AccountRules
    """Whom it may call and when."""


class NewAccount(Input):
    """An account to be."""

    id: Identifier
    """1 to 32 letters, digits, _ and -; can't be changed."""
    name: str = Field("", max_length=200)
    """The company."""
    max_calls: int | None = Field(None, ge=0, le=65535)
    """Calls at a time of all its apps; null: any number."""
    calls_per_second: int | None = Field(None, ge=0, le=65535)
    """Calls accepted in any second; 0: any number; null: as the settings say."""
    prepaid: bool = False
    """Whether its calls and numbers are charged to a balance; without one it is frozen."""
    max_apps: int | None = Field(None, ge=0, le=10_000)
    """Applications that it may have; null: as the settings say."""
    rules: AccountRules = AccountRules()
    """Whom it may call and when."""


class AccountEdit(Edit):
    """What changes; the rest stays."""

    name: str = Field("", max_length=200)
    """The company."""
    active: bool = True
    """false: its apps can't start calls."""
    max_calls: int | None = Field(None, ge=0, le=65535)
    """Calls at a time of all its apps; null: any number."""
    calls_per_second: int | None = Field(None, ge=0, le=65535)
    """Calls accepted in any second; 0: any number; null: as the settings say."""
    prepaid: bool = False
    """Whether its calls and numbers are charged to a balance; without one it is frozen."""
    max_apps: int | None = Field(None, ge=0, le=10_000)
    """Applications that it may have; null: as the settings say."""
    rules: AccountRules = AccountRules()
    """Whom it may call and when, as a whole."""


class OwnAccounts(PageQuery):
    """Which accounts."""

    account_id: str | None = Field(None, pattern=r"^[A-Za-z0-9_-]{1,32}$")
    """This one alone."""


def view(context: Context, row: Account) -> AccountView:
    """The account as it is shown."""
    settings = context.services.settings.management
    return AccountView(
        id=row.id,
        name=row.name,
        active=row.active,
        max_calls=row.max_calls,
        calls_per_second=row.calls_per_second,
        prepaid=row.prepaid,
        max_apps=settings.max_apps if row.max_apps is None else row.max_apps,
        rules=AccountRules.model_validate(row.rules or {}),
    )


@operations.get("/accounts", needs=Role.VIEWER)
async def list_accounts(ctx: Context, query: OwnAccounts) -> Page[AccountView]:
    """List accounts."""
    key = col(Account.id)
    return await ctx.page(select(Account), [key], query, lambda row: view(ctx, row), account=key)


@operations.post(
    "/accounts",
    needs=Role.ADMINISTRATOR,
    scope=Scope.OPERATOR,
    example={"id": "acme", "name": "Acme Ltd", "max_calls": 100},
)
async def create_account(ctx: Context, body: NewAccount) -> AccountView:
    """Create an account."""
    _check_windows(ctx, body.rules)

    def create(change: Change) -> AccountView:
        if change.session.get(Account, body.id) is not None:
            raise Conflict(f"There is an account {body.id} already")
        row = Account(**_columns(body.model_dump(exclude={"rules"}), body.rules))
        change.session.add(row)
        change.session.flush()
        review(change.session, row.id, ctx.services.clock.now())
        made = view(ctx, row)
        change.record("account", row.id, account_id=row.id, after=made)
        change.in_force()
        return made

    return await ctx.change(create)


@operations.get("/accounts/{account_id}", needs=Role.VIEWER, kinds=[ACCOUNT])
async def get_account(ctx: Context) -> AccountView:
    """Read an account."""
    return await ctx.read(lambda session: view(ctx, session.get_one(Account, ctx.account)))


@operations.patch(
    "/accounts/{account_id}",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[ACCOUNT],
    example={"active": False},
)
async def edit_account(ctx: Context, body: AccountEdit) -> AccountView:
    """Change an account.

    What is left out stays as it is. It is in force within a second; calls that are under way go on.
    """
    if "rules" in body.model_fields_set:
        _check_windows(ctx, body.rules)

    def edit(change: Change) -> AccountView:
        row = change.session.get_one(Account, ctx.account)
        before = view(ctx, row)
        change.expect(before)
        given = body.model_dump(include=body.model_fields_set - {"rules"})
        rules = body.rules if "rules" in body.model_fields_set else before.rules
        for name, value in _columns(given, rules).items():
            setattr(row, name, value)
        change.session.flush()
        review(change.session, row.id, ctx.services.clock.now())
        after = view(ctx, row)
        change.record("account", row.id, before=before, after=after)
        change.in_force()
        return after

    return await ctx.change(edit)


def _check_windows(ctx: Context, rules: AccountRules) -> None:
    settings = ctx.services.settings
    try:
        check_windows(settings.limits, rules, settings.details.keep_days)
    except ValueError as error:
        raise wrong_field("rules.callee_windows", str(error)) from None


def _columns(given: dict[str, Any], rules: AccountRules) -> dict[str, Any]:
    return {**given, "rules": rules_row(rules)}

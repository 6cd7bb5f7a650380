"""Numbers that calls show: ordered by an account, allotted by the operator, suspended, released for good."""

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.accounts.declaration import reserved_clashes
from controller.accounts.number_rules import NumberRuleBroken, check_numbers
from controller.billing.rent import charge_rents
from controller.faults import E164
from controller.management.context import Change, Context
from controller.management.models import AccountQuery, Edit, Identifier, Input, OwnAccount, Page, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict, Use, wrong_field
from controller.management.roles import Role, Scope
from controller.phone_number import PhoneNumber
from controller.store import directory as rows
from controller.store.tables import Number, NumberState

operations = Operations(
    "number", {NumberRuleBroken: lambda error: wrong_field("app_keys", f"does not fit: {error}")}
)

_CALLS_TOLD = 5


def _find(session: Session, number: str) -> Owner | None:
    found = session.get(Number, number)
    return None if found is None else Owner(found.account_id)


NUMBER = Kind("number", "number", "The number, E.164 with its plus sign (%2B).", _find, E164)


class NumberView(View):
    """A number."""

    number: str
    """E.164, with its plus sign."""
    account_id: str
    """Whose it is; of a released one: whose it was."""
    state: NumberState
    """How far it has come; calls show active ones alone."""
    max_calls: int | None
    """Calls at a time that show it; null: any number."""
    app_keys: list[str] | None
    """The applications that may show it; null: all of the account."""


class NewNumber(Input):
    """A number that an account wants."""

    number: str = Field(pattern=E164)
    """E.164, with its plus sign; no leading 0 in the area code."""
    app_keys: list[Identifier] | None = Field(None, max_length=1000)
    """The applications that may show it; null: all of the account."""
    account_id: OwnAccount = None


class NumberEdit(Edit):
    """What changes; the rest stays."""

    app_keys: list[Identifier] | None = Field(None, max_length=1000)
    """The applications that may show it; null: all of the account."""
    max_calls: int | None = Field(None, ge=0, le=65535)
    """Calls at a time that show it; null: any number."""


class NumberQuery(AccountQuery):
    """Which numbers."""

    state: NumberState | None = None
    """Those in this state."""


def view(row: Number) -> NumberView:
    """The number as it is shown."""
    return NumberView(
        number=row.number,
        account_id=row.account_id,
        state=NumberState(row.state),
        max_calls=row.max_calls,
        app_keys=row.app_keys,
    )


@operations.get("/numbers", needs=Role.VIEWER)
async def list_numbers(ctx: Context, query: NumberQuery) -> Page[NumberView]:
    """List numbers."""
    statement = select(Number)
    if query.state is not None:
        statement = statement.where(col(Number.state) == query.state)
    return await ctx.page(statement, [col(Number.number)], query, view, account=col(Number.account_id))


@operations.post(
    "/numbers",
    needs=Role.OPERATOR,
    example={"account_id": "acme", "number": "+8657126880001"},
)
async def order_number(ctx: Context, body: NewNumber) -> NumberView:
    """Order a number for an account.

    Calls can show it when the operator has allotted it.
    """
    try:
        PhoneNumber(body.number)
    except ValueError:
        raise wrong_field("number", "must be E.164 without a leading 0 in the area code") from None
    clashes = reserved_clashes(ctx.services.settings.reserved_prefixes, [body.number], [])
    if clashes:
        raise wrong_field("number", f"can't be: {clashes[0]}")

    def order(change: Change) -> NumberView:
        row = change.session.get(Number, body.number)
        if row is not None and row.state != NumberState.RELEASED:
            raise Conflict(f"The number {body.number} is not to be had")
        if row is None:
            row = Number(number=body.number, account_id=ctx.account)
            change.session.add(row)
        row.account_id, row.state, row.max_calls = ctx.account, NumberState.ORDERED, None
        row.app_keys = body.app_keys
        return _changed(change, row, None)

    return await ctx.change(order)


@operations.get("/numbers/{number}", needs=Role.VIEWER, kinds=[NUMBER])
async def get_number(ctx: Context) -> NumberView:
    """Read a number."""
    return await ctx.read(lambda session: view(session.get_one(Number, ctx.path["number"])))


@operations.patch("/numbers/{number}", needs=Role.OPERATOR, kinds=[NUMBER], example={"max_calls": 30})
async def edit_number(ctx: Context, body: NumberEdit) -> NumberView:
    """Change which applications may show a number, or how many calls at a time."""

    def edit(change: Change) -> NumberView:
        row = change.find(Number, ctx.path["number"])
        before = view(row)
        change.expect(before)
        for name, value in body.model_dump(include=body.model_fields_set).items():
            setattr(row, name, value)
        return _changed(change, row, before)

    return await ctx.change(edit)


@operations.post(
    "/numbers/{number}/allot", status=200, needs=Role.OPERATOR, scope=Scope.OPERATOR, kinds=[NUMBER]
)
async def allot_number(ctx: Context) -> NumberView:
    """Allot an ordered number: from now on calls of its account can show it.

    A prepaid account is charged the rent of its first month at once.
    """
    return await _move(ctx, (NumberState.ORDERED,), NumberState.ACTIVE)


@operations.post(
    "/numbers/{number}/suspend", status=200, needs=Role.OPERATOR, scope=Scope.OPERATOR, kinds=[NUMBER]
)
async def suspend_number(ctx: Context) -> NumberView:
    """Suspend a number: calls that ask for it show another one of the account."""
    return await _move(ctx, (NumberState.ACTIVE,), NumberState.SUSPENDED)


@operations.post(
    "/numbers/{number}/resume", status=200, needs=Role.OPERATOR, scope=Scope.OPERATOR, kinds=[NUMBER]
)
async def resume_number(ctx: Context) -> NumberView:
    """Let calls show a suspended number again."""
    return await _move(ctx, (NumberState.SUSPENDED,), NumberState.ACTIVE)


@operations.post("/numbers/{number}/release", status=200, needs=Role.OPERATOR, kinds=[NUMBER])
async def release_number(ctx: Context) -> NumberView:
    """Give a number back, for good.

    It is refused while an application has it as its business number or live calls show it: `uses` names them.
    Whoever orders it afterwards starts anew.
    """
    return await _move(
        ctx, (NumberState.ORDERED, NumberState.ACTIVE, NumberState.SUSPENDED), NumberState.RELEASED
    )


async def _move(ctx: Context, sources: tuple[NumberState, ...], target: NumberState) -> NumberView:
    """Raises Conflict unless the number is in one of these states, and for a release: unused."""

    def move(change: Change) -> NumberView:
        row = change.find(Number, ctx.path["number"])
        before = view(row)
        if before.state not in sources:
            raise Conflict(f"The number is {before.state}; this is for numbers that are {_either(sources)}")
        if target is NumberState.RELEASED:
            _check_unused(change.session, row.number)
            row.app_keys = row.max_calls = None
        row.state = target
        moved = _changed(change, row, before)
        if before.state is NumberState.ORDERED and target is NumberState.ACTIVE:
            services = ctx.services
            low = services.settings.billing.low_balance
            charge_rents(change.session, services.clock.now(), services.calendar, low, row.account_id)
        return moved

    return await ctx.change(move)


def _check_unused(session: Session, number: str) -> None:
    uses = [Use(kind="application", id=key) for key in rows.apps_bound_to(session, number)]
    calls = rows.live_calls_showing(session, number, _CALLS_TOLD)
    uses += [Use(kind="call", id=session_id) for session_id in calls]
    if uses:
        raise Conflict("The number is in use", uses=uses)


def _changed(change: Change, row: Number, before: NumberView | None) -> NumberView:
    """What follows every change of a number. Raises NumberRuleBroken."""
    change.session.flush()
    check_numbers(change.session, row.account_id)
    after = view(row)
    change.record("number", row.number, account_id=row.account_id, before=before, after=after)
    change.in_force()
    return after


def _either(states: tuple[NumberState, ...]) -> str:
    return " or ".join(states)

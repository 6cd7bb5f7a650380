"""API tokens: what programs of a user show instead of logging in."""

import secrets
from datetime import timedelta

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.management.context import Change, Context
from controller.management.models import Input, Moment, Page, PageQuery, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.passwords import digest, new_token
from controller.management.problems import wrong_field
from controller.management.roles import Role, Scope
from controller.store.management_tables import ApiToken, User

operations = Operations("token")


def _find(session: Session, token_id: str) -> Owner | None:
    found = session.get(ApiToken, token_id)
    if found is None:
        return None
    user = session.get_one(User, found.user_id)
    return Owner(user.account_id, user.id)


TOKEN = Kind("token", "token_id", "The token's id, which is not the token itself.", _find)


class TokenView(View):
    """A token, without what makes it one."""

    id: str
    """Names it."""
    name: str
    """What it is for."""
    role: Role
    """What it may do, unless its user may no longer."""
    created_at: Moment
    """Since when."""
    expires_at: Moment
    """Until when it is good."""


class CreatedToken(TokenView):
    """A new token."""

    token: str
    """To be shown as a bearer token. It is not shown again."""


class NewToken(Input):
    """A token to be."""

    name: str = Field(min_length=1, max_length=100)
    """What it is for."""
    role: Role
    """What it may do; not more than you may."""
    days: int = Field(90, ge=1, le=3650)
    """Days until it expires."""


def _view(row: ApiToken) -> TokenView:
    return TokenView(
        id=row.id, name=row.name, role=Role(row.role), created_at=row.created_at, expires_at=row.expires_at
    )


@operations.get("/tokens", needs=Role.VIEWER, scope=Scope.OWN)
async def list_tokens(ctx: Context, query: PageQuery) -> Page[TokenView]:
    """List your tokens."""
    mine = select(ApiToken).where(col(ApiToken.user_id) == ctx.user.user_id)
    return await ctx.page(mine, [col(ApiToken.id)], query, _view)


@operations.post(
    "/tokens",
    needs=Role.VIEWER,
    scope=Scope.OWN,
    example={"name": "nightly report", "role": "viewer", "days": 30},
)
async def create_token(ctx: Context, body: NewToken) -> CreatedToken:
    """Create a token for a program of yours."""
    if not ctx.user.role.covers(body.role):
        raise wrong_field("role", f"must not be above your own, {ctx.user.role}")
    token, now = new_token(), ctx.services.clock.now()
    row_id = f"tok_{secrets.token_hex(10)}"

    def create(change: Change) -> CreatedToken:
        row = ApiToken(
            id=row_id,
            user_id=ctx.user.user_id,
            name=body.name,
            role=body.role,
            digest=digest(token),
            created_at=now,
            expires_at=now + timedelta(days=body.days),
        )
        change.session.add(row)
        change.session.flush()
        change.record("token", row.id, after=_view(row))
        return CreatedToken(**_view(row).model_dump(), token=token)

    return await ctx.change(create)


@operations.delete("/tokens/{token_id}", needs=Role.VIEWER, scope=Scope.OWN, kinds=[TOKEN])
async def delete_token(ctx: Context) -> None:
    """Take a token back. It is no good from now on."""

    def remove(change: Change) -> None:
        row = change.session.get_one(ApiToken, ctx.path["token_id"])
        change.record("token", row.id, before=_view(row))
        change.session.delete(row)

    await ctx.change(remove)

"""Users: who may log in, with which role, and whose they are."""

import secrets
from typing import Annotated, Final

from pydantic import AfterValidator, Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.faults import LOGIN
from controller.management.context import Change, Context
from controller.management.models import AccountQuery, Edit, Input, Moment, OwnAccount, Page, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict
from controller.management.proof import check_new_password
from controller.management.roles import Role
from controller.rules.roles import LONGEST_PASSWORD, SHORTEST_PASSWORD
from controller.store import people
from controller.store.management_tables import User

operations = Operations("user")

LoginName = Annotated[str, Field(pattern=LOGIN)]


def _find(session: Session, user_id: str) -> Owner | None:
    found = session.get(User, user_id)
    return None if found is None else Owner(found.account_id)


USER = Kind("user", "user_id", "The user.", _find)


class UserView(View):
    """A user."""

    id: str
    """Names the user."""
    login: str
    """The name that they log in with."""
    name: str
    """The person."""
    role: Role
    """What they may do; each role may do all that those after it may."""
    account_id: str | None
    """Their account; null: the operator, whose users see all accounts."""
    active: bool
    """false: they can't log in, and their tokens are no good."""
    second_factor: bool
    """Whether a code is asked for when they log in."""
    created_at: Moment
    """Since when."""


class NewUser(Input):
    """A user to be."""

    login: LoginName
    """Letters, digits and . _ @ + -; nobody else may have it."""
    name: str = Field("", max_length=200)
    """The person."""
    role: Role
    """What they may do."""
    password: str = Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)
    """At least 12 characters."""
    account_id: OwnAccount = None


def _taken_away(has_one: bool) -> bool:
    if has_one:
        raise ValueError("must be false: nobody sets one up for somebody else")
    return has_one


class UserEdit(Edit):
    """What changes; the rest stays."""

    name: str = Field("", max_length=200)
    """The person."""
    role: Role = Role.VIEWER
    """What they may do."""
    active: bool = True
    """false: they can't log in, and their tokens are no good."""
    password: str = Field("", min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)
    """A new password; all their sessions end."""
    second_factor: Annotated[bool, AfterValidator(_taken_away)] = False
    """false: the one that they have is taken away, as they lost it; all their sessions end."""


_COLUMNS: Final = frozenset({"name", "role", "active"})
"""Fields of an edit that are columns of the row."""


def _view(row: User) -> UserView:
    return UserView(
        id=row.id,
        login=row.login,
        name=row.name,
        role=Role(row.role),
        account_id=row.account_id,
        active=row.active,
        second_factor=row.has_second_factor,
        created_at=row.created_at,
    )


@operations.get("/users", needs=Role.ADMINISTRATOR)
async def list_users(ctx: Context, query: AccountQuery) -> Page[UserView]:
    """List users."""
    return await ctx.page(select(User), [col(User.id)], query, _view, account=col(User.account_id))


@operations.post(
    "/users",
    needs=Role.ADMINISTRATOR,
    example={
        "login": "li.wei",
        "name": "Li Wei",
        "role": "developer",
        "password": "correct horse battery",
        "account_id": "acme",
    },
)
async def create_user(ctx: Context, body: NewUser) -> UserView:
    """Create a user.

    Administrators of an account create users of that account; those of the operator create users of any
    account, and without `account_id` users of the operator.
    """
    settings = ctx.services.settings.management
    check_new_password(settings, "password", body.password, body.login, body.name, ctx.account_id or "")
    hashed = await ctx.services.passwords.hash(body.password)
    user_id = f"usr_{secrets.token_hex(10)}"

    def create(change: Change) -> UserView:
        if people.user_with_login(change.session, body.login) is not None:
            raise Conflict(f"The login {body.login} is taken")
        row = User(
            id=user_id,
            login=body.login,
            name=body.name,
            role=body.role,
            account_id=ctx.account_id,
            password_hash=hashed,
            created_at=ctx.services.clock.now(),
        )
        change.session.add(row)
        change.session.flush()
        change.record("user", row.id, account_id=row.account_id, after=_view(row))
        return _view(row)

    return await ctx.change(create)


@operations.get("/users/{user_id}", needs=Role.ADMINISTRATOR, kinds=[USER])
async def get_user(ctx: Context) -> UserView:
    """Read a user."""
    return await ctx.read(lambda session: _view(session.get_one(User, ctx.path["user_id"])))


@operations.patch(
    "/users/{user_id}",
    needs=Role.ADMINISTRATOR,
    kinds=[USER],
    problems=[Conflict],
    example={"role": "operator"},
)
async def edit_user(ctx: Context, body: UserEdit) -> UserView:
    """Change a user.

    Sessions of a user who is deactivated, gets another role or a new password, or loses the second factor
    end at once. There is always an active administrator.
    """
    hashed = None
    if "password" in body.model_fields_set:
        present = await ctx.read(lambda session: session.get_one(User, ctx.path["user_id"]))
        names = (present.login, present.name, present.account_id or "")
        check_new_password(ctx.services.settings.management, "password", body.password, *names)
        hashed = await ctx.services.passwords.hash(body.password)

    def edit(change: Change) -> UserView:
        row = change.find(User, ctx.path["user_id"])
        before = _view(row)
        change.expect(before)
        for name, value in body.model_dump(include=body.model_fields_set & _COLUMNS).items():
            setattr(row, name, value)
        if hashed is not None:
            row.password_hash = hashed
        loses_factor = "second_factor" in body.model_fields_set
        if loses_factor:
            people.forget_second_factor(row)
        is_lost = before.role is Role.ADMINISTRATOR and not (row.active and row.role == Role.ADMINISTRATOR)
        if is_lost and not people.other_administrators(change.session, row, Role.ADMINISTRATOR):
            raise Conflict("There must be an active administrator")
        if hashed is not None or loses_factor or not row.active or before.role != row.role:
            people.end_sessions_of(change.session, row.id)
        change.session.flush()
        after = _view(row)
        change.record("user", row.id, account_id=row.account_id, before=before, after=after)
        return after

    return await ctx.change(edit)

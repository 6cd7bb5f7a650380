"""Logging in and out, and who one is."""

from datetime import timedelta

from pydantic import Field
from sqlmodel import Session

from controller.management.context import Change, Context
from controller.management.models import Input, View
from controller.management.operations import Operations
from controller.management.passwords import csrf_token, digest, new_session
from controller.management.problems import NotAuthenticated, TooManyAttempts, wrong_field
from controller.management.roles import Role, Scope
from controller.rules.roles import LONGEST_PASSWORD, SHORTEST_PASSWORD
from controller.store import people
from controller.store.management_tables import LoginSession, User

operations = Operations("session")


class Login(Input):
    """Name and password."""

    login: str = Field(min_length=1, max_length=64)
    """The user's name."""
    password: str = Field(min_length=1, max_length=LONGEST_PASSWORD)
    """The user's password."""


class Me(View):
    """Who is asking."""

    user_id: str
    """The user."""
    login: str
    """The name that they log in with."""
    role: Role
    """What they may do."""
    account_id: str | None
    """Their account; null: the operator."""


class SessionView(Me):
    """A session that was begun."""

    csrf_token: str
    """To be shown in X-CSRF-Token with every change."""


class PasswordChange(Input):
    """The old one proves that it is really you."""

    old: str = Field(min_length=1, max_length=LONGEST_PASSWORD)
    """The password until now."""
    new: str = Field(min_length=SHORTEST_PASSWORD, max_length=LONGEST_PASSWORD)
    """The password from now on."""


@operations.post(
    "/session",
    needs=Role.VIEWER,
    scope=Scope.OPEN,
    problems=[NotAuthenticated, TooManyAttempts],
    example={"login": "admin", "password": "correct horse battery"},
)
async def log_in(ctx: Context, body: Login) -> SessionView:
    """Log in.

    Sets the session's cookie. Too many wrong passwords from an address, or for a user, lock it for a while.
    """
    services = ctx.services
    wait = services.throttle.wait(ctx.address, body.login)
    if wait:
        raise TooManyAttempts(retry_after=wait)
    user = await ctx.read(lambda session: people.user_with_login(session, body.login))
    kept = user.password_hash if user is not None and user.active else None
    if not await services.passwords.matches(kept, body.password):
        services.throttle.failed(ctx.address, body.login)
        if user is not None:
            await ctx.note("user", user.id, account_id=user.account_id, outcome="refused")
        raise NotAuthenticated("Name or password is wrong")
    assert user is not None
    token = new_session()
    row = LoginSession(
        digest=digest(token),
        user_id=user.id,
        address=ctx.address,
        expires_at=services.clock.now() + timedelta(hours=services.settings.management.session_hours),
    )
    await _begin(ctx, user, row)
    ctx.new_session = token
    return SessionView(
        user_id=user.id,
        login=user.login,
        role=Role(user.role),
        account_id=user.account_id,
        csrf_token=csrf_token(token),
    )


async def _begin(ctx: Context, user: User, row: LoginSession) -> None:
    def begin(change: Change) -> None:
        change.session.merge(row)
        change.session.flush()
        change.record("user", user.id, account_id=user.account_id)

    await ctx.change(begin)


@operations.delete("/session", needs=Role.VIEWER, scope=Scope.OWN)
async def log_out(ctx: Context) -> None:
    """Log out."""

    def end(change: Change) -> None:
        if ctx.user.session is not None:
            people.end_session(change.session, ctx.user.session)
        change.record("user", ctx.user.user_id)

    await ctx.change(end)
    ctx.new_session = ""


@operations.get("/me", needs=Role.VIEWER, scope=Scope.OWN)
async def get_me(ctx: Context) -> Me:
    """Who you are."""
    user = ctx.user
    return Me(user_id=user.user_id, login=user.login, role=user.role, account_id=user.account_id)


@operations.post(
    "/me/password",
    needs=Role.VIEWER,
    scope=Scope.OWN,
    problems=[TooManyAttempts],
    example={"old": "correct horse battery", "new": "battery staple correct"},
)
async def change_password(ctx: Context, body: PasswordChange) -> None:
    """Change your password.

    Every other session of yours ends.
    """
    services, me = ctx.services, ctx.user
    wait = services.throttle.wait(ctx.address, me.login)
    if wait:
        raise TooManyAttempts(retry_after=wait)

    def mine(session: Session) -> str:
        return session.get_one(User, me.user_id).password_hash

    if not await services.passwords.matches(await ctx.read(mine), body.old):
        services.throttle.failed(ctx.address, me.login)
        raise wrong_field("old", "is wrong")
    hashed = await services.passwords.hash(body.new)

    def change_it(change: Change) -> None:
        change.session.get_one(User, me.user_id).password_hash = hashed
        people.end_sessions_of(change.session, me.user_id, but=me.session)
        change.record("user", me.user_id)

    await ctx.change(change_it)

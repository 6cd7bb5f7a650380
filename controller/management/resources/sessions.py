"""Logging in and out, and who one is."""

from datetime import timedelta

from pydantic import Field

from controller.management.context import Change, Context
from controller.management.models import Input, View
from controller.management.operations import Operations
from controller.management.passwords import csrf_token, digest, new_session
from controller.management.problems import NotAuthenticated, TooManyAttempts
from controller.management.proof import check_new_password, is_right, prove, step_shown
from controller.management.roles import Actor, Role, Scope
from controller.management.second_factor import CODE, is_demanded
from controller.rules.roles import LONGEST_PASSWORD, SHORTEST_PASSWORD
from controller.store import people
from controller.store.management_tables import LoginSession, User

operations = Operations("session")
_WRONG = "Name, password or code is wrong"


class Login(Input):
    """Name and password."""

    login: str = Field(min_length=1, max_length=64)
    """The user's name."""
    password: str = Field(min_length=1, max_length=LONGEST_PASSWORD)
    """The user's password."""
    code: str = Field("", pattern=rf"^$|{CODE}")
    """What their authenticator app shows, if they have a second factor."""


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
    second_factor: bool
    """Whether a code is asked for when they log in."""
    lacks_factor: bool
    """They must have a second factor and have none: until then nothing else can be done in a session."""


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

    Sets the session's cookie. Too many wrong passwords or codes from an address, or for a user, lock it for
    a while.
    """
    services, settings = ctx.services, ctx.services.settings.management
    user = await ctx.read(lambda session: people.user_with_login(session, body.login))
    kept = user.password_hash if user is not None and user.active else None
    right = await is_right(ctx, body.login, kept, body.password)
    step = step_shown(ctx, user, body.code) if user is not None and user.has_second_factor else 0
    if user is None or not right or step is None:
        # Which of them is wrong is not told: a password that is right is worth a lot.
        services.throttle.failed(ctx.address, body.login)
        if user is not None:
            ctx.claimed = user.login
            await ctx.note("user", user.id, account_id=user.account_id, outcome="refused")
        raise NotAuthenticated(_WRONG)
    # The trail says that it was them.
    ctx.actor = Actor(user.id, user.login, Role(user.role), user.account_id)
    token, now = new_session(), services.clock.now()
    row = LoginSession(
        digest=digest(token),
        user_id=user.id,
        address=ctx.address,
        expires_at=now + timedelta(hours=settings.session_hours),
        began_at=now,
        used_at=now,
    )
    await _begin(ctx, user, row, step)
    ctx.new_session = token
    return SessionView(
        user_id=user.id,
        login=user.login,
        role=Role(user.role),
        account_id=user.account_id,
        second_factor=user.has_second_factor,
        lacks_factor=not user.has_second_factor and is_demanded(settings, Role(user.role)),
        csrf_token=csrf_token(token),
    )


async def _begin(ctx: Context, user: User, row: LoginSession, step: int) -> None:
    def begin(change: Change) -> None:
        if step and not people.use_step(change.session, user.id, step):
            raise NotAuthenticated(_WRONG)
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
    row = await ctx.read(lambda session: session.get_one(User, user.user_id))
    return Me(
        user_id=user.user_id,
        login=user.login,
        role=user.role,
        account_id=user.account_id,
        second_factor=row.has_second_factor,
        lacks_factor=user.lacks_factor,
    )


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
    user = await prove(ctx, body.old, "old")
    settings, names = services.settings.management, (user.login, user.name, user.account_id or "")
    check_new_password(settings, "new", body.new, *names)
    hashed = await services.passwords.hash(body.new)

    def change_it(change: Change) -> None:
        change.session.get_one(User, me.user_id).password_hash = hashed
        people.end_sessions_of(change.session, me.user_id, but=me.session)
        change.record("user", me.user_id)

    await ctx.change(change_it)

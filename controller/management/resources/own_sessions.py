"""One's sessions: where one is logged in, and ending that."""

from pydantic import Field
from sqlmodel import Session

from controller.management.context import Change, Context
from controller.management.models import Input, Moment, Page, View
from controller.management.operations import Operations
from controller.management.problems import TooManyAttempts, wrong_field
from controller.management.proof import prove
from controller.management.roles import Role, Scope
from controller.rules.roles import LONGEST_PASSWORD
from controller.store import people
from controller.store.management_tables import LoginSession

operations = Operations("session")
_NAMED = 16
"""So much of a session's digest names it: nobody can make a session of that."""


class OwnSession(View):
    """A login that has not ended."""

    id: str
    """Names it."""
    address: str
    """Where the login came from."""
    began_at: Moment | None
    """Since when; null: before that was kept."""
    used_at: Moment | None
    """The last request, to a minute; null: before that was kept."""
    expires_at: Moment
    """When it ends at the latest."""
    is_this: bool
    """Whether it is the one that asks."""


class SessionEnd(Input):
    """Which session, and that it is really you."""

    password: str = Field(min_length=1, max_length=LONGEST_PASSWORD)
    """Your password."""
    session_id: str = Field("", pattern=r"^([0-9a-f]{16})?$")
    """The session; without it all but the one that asks."""


def _view(row: LoginSession, mine: str | None) -> OwnSession:
    return OwnSession(
        id=row.digest[:_NAMED],
        address=row.address,
        began_at=row.began_at,
        used_at=row.used_at,
        expires_at=row.expires_at,
        is_this=row.digest == mine,
    )


def _mine(ctx: Context, session: Session) -> list[LoginSession]:
    idle = ctx.services.settings.management.idle_limit
    return people.sessions_of(session, ctx.user.user_id, ctx.services.clock.now(), idle)


@operations.get("/me/sessions", needs=Role.VIEWER, scope=Scope.OWN)
async def list_sessions(ctx: Context) -> Page[OwnSession]:
    """List your sessions, the last begun first."""
    rows = await ctx.read(lambda session: _mine(ctx, session))
    return Page[OwnSession](items=[_view(row, ctx.user.session) for row in rows], next=None)


@operations.post(
    "/me/sessions/end",
    needs=Role.VIEWER,
    scope=Scope.OWN,
    problems=[TooManyAttempts],
    example={"password": "correct horse battery"},
)
async def end_sessions(ctx: Context, body: SessionEnd) -> None:
    """End one of your sessions, or all but this one."""
    me = ctx.user
    await prove(ctx, body.password)

    def end(change: Change) -> None:
        if not body.session_id:
            people.end_sessions_of(change.session, me.user_id, but=me.session)
        else:
            found = [row for row in _mine(ctx, change.session) if row.digest.startswith(body.session_id)]
            if not found:
                raise wrong_field("session_id", "is no session of yours")
            people.end_session(change.session, found[0].digest)
        change.record("user", me.user_id)

    await ctx.change(end)

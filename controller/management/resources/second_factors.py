"""One's second factor: an authenticator app whose codes are asked for at every login."""

from pydantic import Field

from controller.management.context import Change, Context
from controller.management.models import Input, View
from controller.management.operations import Operations
from controller.management.problems import Conflict, TooManyAttempts
from controller.management.proof import check_pace, prove, prove_code, wrong_code
from controller.management.roles import Role, Scope
from controller.management.second_factor import CODE, address_of, new_secret
from controller.rules.roles import LONGEST_PASSWORD
from controller.store import people
from controller.store.management_tables import User

operations = Operations("session")


class Proof(Input):
    """That it is really you."""

    password: str = Field(min_length=1, max_length=LONGEST_PASSWORD)
    """Your password."""


class Code(Input):
    """What the app shows."""

    code: str = Field(pattern=CODE)
    """Six digits."""


class WholeProof(Proof, Code):
    """That it is really you, by both factors."""


class NewSecondFactor(View):
    """What the app is to know. It is not shown again."""

    secret: str
    """To be typed into the app."""
    address: str
    """The same for a picture that the app reads."""


@operations.post(
    "/me/second-factor",
    needs=Role.VIEWER,
    scope=Scope.OWN,
    problems=[Conflict, TooManyAttempts],
    example={"password": "correct horse battery"},
)
async def begin_second_factor(ctx: Context, body: Proof) -> NewSecondFactor:
    """Begin to set up a second factor.

    It counts once a code of it was shown. Who has one takes that away first.
    """
    user = await prove(ctx, body.password)
    if user.has_second_factor:
        raise Conflict("There is a second factor already")
    secret = new_secret()

    def begin(change: Change) -> None:
        row = change.session.get_one(User, user.id)
        if row.has_second_factor:
            raise Conflict("There is a second factor already")
        row.second_factor, row.second_factor_step = secret, 0
        change.record("user", user.id)

    await ctx.change(begin)
    return NewSecondFactor(secret=secret, address=address_of(secret, user.login))


@operations.post(
    "/me/second-factor/confirm",
    needs=Role.VIEWER,
    scope=Scope.OWN,
    problems=[Conflict, TooManyAttempts],
    example={"code": "123456"},
)
async def confirm_second_factor(ctx: Context, body: Code) -> None:
    """Have it count from now on.

    Every other session of yours ends.
    """
    me = ctx.user
    check_pace(ctx, me.login)
    user = await ctx.read(lambda session: session.get_one(User, me.user_id))
    if user.second_factor is None or user.has_second_factor:
        raise Conflict("No second factor is being set up")
    step = prove_code(ctx, user, body.code)

    def confirm(change: Change) -> None:
        row = change.session.get_one(User, me.user_id)
        if row.second_factor != user.second_factor or row.has_second_factor:
            raise Conflict("No second factor is being set up")
        row.second_factor_since, row.second_factor_step = ctx.services.clock.now(), step
        people.end_sessions_of(change.session, me.user_id, but=me.session)
        change.record("user", me.user_id)

    await ctx.change(confirm)


@operations.post(
    "/me/second-factor/remove",
    needs=Role.VIEWER,
    scope=Scope.OWN,
    problems=[Conflict, TooManyAttempts],
    example={"password": "correct horse battery", "code": "123456"},
)
async def remove_second_factor(ctx: Context, body: WholeProof) -> None:
    """Take your second factor away, for good or for another one.

    Every other session of yours ends. Who has lost the app asks an administrator.
    """
    me = ctx.user
    user = await prove(ctx, body.password)
    if not user.has_second_factor:
        raise Conflict("There is no second factor")
    step = prove_code(ctx, user, body.code)

    def remove(change: Change) -> None:
        if not people.use_step(change.session, me.user_id, step):
            raise wrong_code()
        people.forget_second_factor(change.session.get_one(User, me.user_id))
        people.end_sessions_of(change.session, me.user_id, but=me.session)
        change.record("user", me.user_id)

    await ctx.change(remove)

"""Proving that it is really the user, at a login and before what a stolen session must not do."""

from pathlib import Path

from controller.management.context import Context
from controller.management.passwords import TooManyAtOnce
from controller.management.problems import Problem, TooManyAttempts, wrong_field
from controller.management.second_factor import step_of
from controller.rules.passwords import fault_of
from controller.settings import ManagementSettings
from controller.store.management_tables import User

_BUSY = 5
"""Seconds after which somebody who was not listened to may try again."""


def check_pace(ctx: Context, login: str) -> None:
    """Raises TooManyAttempts if too much was guessed from this address, or for this login."""
    wait = ctx.services.throttle.wait(ctx.address, login)
    if wait:
        raise TooManyAttempts(retry_after=wait)


async def is_right(ctx: Context, login: str, kept: str | None, password: str) -> bool:
    """Whether it is the login's password, of which `kept` is kept; None: nobody has that login.

    Who asks counts a wrong one before anything else is awaited. Raises TooManyAttempts.
    """
    check_pace(ctx, login)
    try:
        return await ctx.services.passwords.matches(kept, password, lambda: check_pace(ctx, login))
    except TooManyAtOnce:
        raise TooManyAttempts("Too many log in at this moment", retry_after=_BUSY) from None


async def prove(ctx: Context, password: str, field: str = "password") -> User:
    """Who asks, if that is their password. Raises TooManyAttempts, or Invalid for the field."""
    me, services = ctx.user, ctx.services
    user = await ctx.read(lambda session: session.get_one(User, me.user_id))
    if not await is_right(ctx, me.login, user.password_hash, password):
        services.throttle.failed(ctx.address, me.login)
        raise wrong_field(field, "is wrong")
    return user


def step_shown(ctx: Context, user: User, code: str) -> int | None:
    """The step that a code of the user's second factor is of; None: it is wrong or was used."""
    assert user.second_factor is not None
    return step_of(user.second_factor, code, ctx.services.clock.now(), after=user.second_factor_step)


def prove_code(ctx: Context, user: User, code: str) -> int:
    """The step that a code is of, to be kept with it. Raises Invalid; a wrong one counts as a guess."""
    step = step_shown(ctx, user, code)
    if step is None:
        ctx.services.throttle.failed(ctx.address, user.login)
        raise wrong_code()
    return step


def wrong_code() -> Problem:
    """The fault of a code."""
    return wrong_field("code", "is wrong, or was used before")


def check_new_password(settings: ManagementSettings, field: str, password: str, *names: str) -> None:
    """Raises Invalid for one that is easily guessed; `names` are of whom it is for."""
    fault = weakness(settings, password, *names)
    if fault:
        raise wrong_field(field, fault)


def weakness(settings: ManagementSettings, password: str, *names: str) -> str:
    """What is wrong with a password that is to be; "": nothing. Raises OSError: see `fault_of`."""
    file = Path(settings.breached_passwords) if settings.breached_passwords else None
    return fault_of(password, *names, words=settings.password_words, breached=file)

"""What an operation goes through wherever it is asked for: over HTTP, or by a command on this machine.

`check_role` and `check_path` before anything that was sent is looked at, `settle_account` when it was read,
then `perform`. Their errors and those of handlers become problems by `problem_of`.
"""

import logging
import re
from typing import Any

from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from controller.management.context import Context, stored
from controller.management.operations import Download, Operation, Owner
from controller.management.problems import (
    Conflict,
    Forbidden,
    Malformed,
    NotFound,
    Problem,
    SecondFactorMissing,
    VersionMissing,
)
from controller.management.roles import Scope
from controller.store.tables import Account

log = logging.getLogger(__name__)


async def check_role(context: Context) -> None:
    """Raises SecondFactorMissing; or Forbidden, and what was to be changed is in the trail as refused."""
    operation, actor = context.operation, context.actor
    if actor is None:
        return
    if actor.lacks_factor and operation.needs_factor:
        raise SecondFactorMissing
    if operation.is_for(actor):
        return
    if not operation.is_safe:
        await context.note(
            operation.group,
            "/".join(context.path.values()),
            outcome="refused",
            account_id=actor.account_id,
        )
    raise Forbidden


async def check_path(context: Context) -> None:
    """Whose the path's things are. Raises NotFound, whether there is none or it is another's."""
    kinds, actor = context.operation.kinds, context.actor
    if not kinds or actor is None:
        return

    def owners(session: Session) -> list[Owner | None]:
        return [
            kind.find(session, context.path[kind.parameter])
            if re.fullmatch(kind.pattern, context.path[kind.parameter], re.ASCII)
            else None
            for kind in kinds
        ]

    for owner in await context.read(owners):
        if owner is None or not actor.sees(owner.account_id):
            raise NotFound
        if context.operation.scope is Scope.OWN and owner.user_id != actor.user_id:
            raise NotFound
        context.account_id = owner.account_id


async def settle_account(context: Context, arguments: dict[str, Any]) -> None:
    """The account that body or query name. Raises NotFound for one that is not there for the one who asks."""
    named = next((it.account_id for it in arguments.values() if hasattr(it, "account_id")), None)
    if named is None:
        return
    found = await context.read(lambda session: session.get(Account, named))
    if found is None or not context.user.sees(named):
        raise NotFound("There is no such account")
    context.account_id = named


async def perform(context: Context, arguments: dict[str, Any]) -> Any:
    """Run the handler, and do what a change owes beside it.

    Raises VersionMissing, Repeated, and whatever the handler raises.
    """
    operation, attempt = context.operation, context.attempt
    if operation.locked and context.if_match is None:
        raise VersionMissing
    if attempt is None:
        return await _done(context, arguments)
    async with attempt.alone():
        now = context.services.clock.now()
        await context.read(lambda session: attempt.check(session, now))
        return await _done(context, arguments)


async def _done(context: Context, arguments: dict[str, Any]) -> Any:
    result = await context.operation.handler(context, **arguments)
    await _settle(context, result)
    return result


async def _settle(context: Context, result: Any) -> None:
    """What a change owes when its handler did it in other rooms' transactions."""
    operation = context.operation
    if not operation.is_safe and not context.recorded:
        target = "/".join(context.path.values()) or str(getattr(result, "id", ""))
        await context.note(operation.group, target, after=result if isinstance(result, BaseModel) else None)
    attempt = context.attempt
    if attempt is None or context.kept is result or isinstance(result, Download):
        return
    now = context.services.clock.now()
    await context.services.database.write(lambda session: attempt.keep(session, now, stored(result)))


def problem_of(operation: Operation, error: Exception) -> Problem:
    """The problem that an error is."""
    if isinstance(error, Problem):
        return error
    for kind, made in operation.errors.items():
        if isinstance(error, kind):
            return made(error)
    if isinstance(error, IntegrityError):
        return Conflict("It exists already, or something else needs it as it is")
    if isinstance(error, ConnectionError):
        return Malformed("The connection was lost")
    log.error("A request failed", exc_info=error, extra={"operation": operation.name})
    return Problem()

"""`voicecall database`: its schema, for an operator who goes back to an older version of the program."""

import asyncio
from functools import partial
from typing import Annotated

import typer

from controller.command import ConfigOption, failure, read_settings
from controller.membership.onlooker import ControllersRun, none_runs
from controller.patience import patiently
from controller.store.errors import DatabaseUnusable
from controller.store.schema import downgrade, known, revisions, title

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


class _NoWayBackError(Exception):
    """That schema can't be gone back to; says why."""


@app.command("downgrade")
def downgrade_command(
    revision: Annotated[str, typer.Argument(help="The newest schema that the older version knows.")],
    dry_run: Annotated[bool, typer.Option(help="Say what would be taken back, and change nothing.")] = False,
    config: ConfigOption = None,
) -> None:
    """Take migrations back, with what only they have room for: then an older version can be started."""
    settings = read_settings(config)
    try:
        asyncio.run(take_back(settings.database_url, revision, dry_run=dry_run))
    except ControllersRun as error:
        raise failure(f"{error}; end them first, nothing was changed") from None
    except (DatabaseUnusable, _NoWayBackError) as error:
        raise failure(str(error)) from None


async def take_back(url: str, revision: str, *, dry_run: bool) -> None:
    """Bring a database back to a schema that it once had, and say so; a dry run only says it.

    Raises _NoWayBackError, ControllersRun, DatabaseUnusable.
    """
    present, _newest = await asyncio.to_thread(revisions, url)
    backwards = _backwards(present, revision)
    if not backwards:
        typer.echo(f"the database has schema {present} already")
        return
    typer.echo(f"the database has schema {present}; taken back, with what only these have room for:")
    for each in backwards:
        typer.echo(f"{each}  {title(each)}")
    if dry_run:
        typer.echo("nothing was changed")
        return
    check = await none_runs(url, present, typer.echo)
    await patiently(partial(downgrade, url, revision, check))
    typer.echo(
        f"the database has schema {revision} now; this version, once started, brings it to {present} again"
    )


def _backwards(present: str, revision: str) -> list[str]:
    """The migrations between, the newest first. Raises _NoWayBackError."""
    if revision not in known():
        raise _NoWayBackError(f"there is no schema {revision}; there are {', '.join(known())}")
    if present not in known():
        raise _NoWayBackError("the database is empty: there is nothing to take back")
    if revision > present:
        raise _NoWayBackError(
            f"schema {revision} is newer than the database's, {present}: starting the controller brings it up"
        )
    return [each for each in reversed(known()) if revision < each <= present]

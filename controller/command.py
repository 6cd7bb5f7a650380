"""What the commands have in common: the options, the database, tables, and how a command fails."""

import asyncio
import getpass
import json
import secrets
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_core import to_jsonable_python
from sqlmodel import Session

from controller.clock import SystemClock
from controller.faults import in_words
from controller.settings import Settings, load_settings
from controller.store.audit import Deed, append
from controller.store.database import Database
from controller.store.errors import DatabaseUnusable
from controller.store.schema import check_newest

T = TypeVar("T")

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file; else VOICECALL_CONFIG, else ./voicecall.toml."),
]
AccountArgument = Annotated[str, typer.Argument(help="Id of the account.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
"""Forms in which options take a time, UTC."""

_WIDE = 1000
"""Columns."""


def failure(text: str) -> typer.Exit:
    """Say on standard error what is wrong; to be raised."""
    typer.echo(text, err=True)
    return typer.Exit(2)


def read_settings(path: Path | None) -> Settings:
    """The settings in force; ends the command with every fault named when they are wrong."""
    try:
        return load_settings(path)
    except FileNotFoundError as error:
        raise failure(str(error)) from None
    except ValidationError as error:
        faults = (
            f"{'.'.join(map(str, fault['loc']))} {in_words(fault, 'a section')}" for fault in error.errors()
        )
        raise failure("settings: " + "\nsettings: ".join(faults)) from None
    except ValueError as error:
        raise failure(f"settings: {error}") from None


def with_database(settings: Settings, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """What `work` makes of the database of these settings."""

    async def run() -> T:
        await asyncio.to_thread(check_newest, settings.database_url)
        async with Database.of(settings) as database:
            return await work(database)

    try:
        return asyncio.run(run())
    except DatabaseUnusable as error:
        raise failure(str(error)) from None


def read_database(settings: Settings, work: Callable[[Session], T]) -> T:
    """Look into the database of these settings."""
    return with_database(settings, lambda database: database.read(work))


def write_database(settings: Settings, work: Callable[[Session], T]) -> T:
    """Change the database of these settings."""
    return with_database(settings, lambda database: database.write(work))


def record(
    session: Session,
    action: str,
    kind: str,
    target: str,
    *,
    account_id: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    by: str | None = None,
) -> None:
    """Say in the audit trail what a command does, by the names that the management API has for it.

    `by`: who it is done for; else the user of the machine.
    """
    append(
        session,
        Deed(
            at=SystemClock().now(),
            request_id=secrets.token_hex(8),
            actor="command",
            login=by or getpass.getuser(),
            address="command",
            action=action,
            kind=kind,
            target=target,
            account_id=account_id,
            before=None if before is None else to_jsonable_python(before),
            after=None if after is None else to_jsonable_python(after),
        ),
    )


def show_table(columns: list[str], lines: list[list[object]]) -> None:
    """Print a table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=None, pad_edge=False)
    for line in lines:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in line))
    # Programs that read this get whole lines.
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(table)


def show(rows: Iterable[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print rows that have the same names: a table, or JSON for programs."""
    found = list(rows)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
    elif not found:
        typer.echo("nothing")
    else:
        names = [name.replace("_", " ").upper() for name in found[0]]
        show_table(names, [[_cell(value) for value in row.values()] for row in found])


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {its}" for name, its in value.items())
    return value


def in_utc(at: datetime | None) -> datetime | None:
    """A time that an option was given."""
    return None if at is None else at.replace(tzinfo=UTC)


def moment(at: datetime | None) -> str | None:
    """A time in a table, UTC."""
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S}"

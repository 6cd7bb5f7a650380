"""`voicecall pushes` and `voicecall cdr`: what became of pushes, and how what is left is delivered after all.

They work on the database; a running controller notices within five seconds.
"""

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlmodel import Session

from controller.command import ConfigOption, failure, read_settings
from controller.pushes.push import endpoint_url
from controller.settings import Settings
from controller.store import outbox
from controller.store import pushes as rows
from controller.store.database import Database
from controller.store.outbox import Undelivered
from controller.store.schema import revisions
from controller.store.tables import PushAttempt, PushEndpoint

T = TypeVar("T")

_WIDE = 1000
"""Columns."""

pushes = typer.Typer(help="What became of pushes; which endpoints fail.", no_args_is_help=True)
cdrs = typer.Typer(help="CDRs that customers do not have yet.", no_args_is_help=True)

AppOption = Annotated[str | None, typer.Option("--app", help="Only those of this app (its key).")]
CallOption = Annotated[str | None, typer.Option("--call", help="Only that of this call (its session id).")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        help="Only of calls that ended then or later, UTC.",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"],
    ),
]


async def _in_database(settings: Settings, work: Callable[[Session], T], *, writes: bool) -> T:
    present, newest = await asyncio.to_thread(revisions, settings.database_url)
    if present != newest:
        raise failure("the database is not at the newest schema: start the controller once")
    async with Database(settings.database_url) as database:
        return await (database.write(work) if writes else database.read(work))


def _read(settings: Settings, work: Callable[[Session], T]) -> T:
    return asyncio.run(_in_database(settings, work, writes=False))


def _write(settings: Settings, work: Callable[[Session], T]) -> T:
    return asyncio.run(_in_database(settings, work, writes=True))


def _show(columns: list[str], lines: list[list[object]]) -> None:
    table = Table(*columns, box=None, pad_edge=False)
    for line in lines:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in line))
    # Programs that read this get whole lines.
    console = Console(width=None if sys.stdout.isatty() else _WIDE)
    console.print(table)


def _moment(at: datetime | None) -> str | None:
    return None if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


@pushes.command("list")
def list_endpoints(config: ConfigOption = None) -> None:
    """Endpoints that have failed since they last worked, and those that are disabled."""
    found = _read(read_settings(config), rows.troubled_endpoints)
    if not found:
        typer.echo("every endpoint is well")
        return
    _show(
        ["STATE", "APP", "FAILING SINCE", "FAILURES", "ENDPOINT", "LAST ERROR"],
        [_endpoint_line(row) for row in found],
    )


def _endpoint_line(row: PushEndpoint) -> list[object]:
    state = "disabled" if row.disabled_at else "failing"
    return [state, row.app_key, _moment(row.failing_since), row.failures, row.url, row.error]


@pushes.command()
def enable(
    app: Annotated[str, typer.Argument(help="Key of the app.")],
    url: Annotated[str | None, typer.Option(help="Only this endpoint of it.")] = None,
    config: ConfigOption = None,
) -> None:
    """Forget what is held against an app's endpoints: pushes go there again."""

    def work(session: Session) -> list[str]:
        wanted = None if url is None else endpoint_url(url)
        found = [
            row.url
            for row in rows.troubled_endpoints(session)
            if row.app_key == app and wanted in (None, row.url)
        ]
        for own in found:
            rows.enable_endpoint(session, app, own)
        return found

    found = _write(read_settings(config), work)
    if not found:
        raise failure("nothing is held against such an endpoint")
    for own in found:
        typer.echo(f"enabled  {own}")


@pushes.command()
def attempts(
    session_id: Annotated[str, typer.Argument(help="Session id of the call.")], config: ConfigOption = None
) -> None:
    """Every attempt to tell of a call, oldest first."""
    found = _read(read_settings(config), lambda session: rows.attempts_of(session, _call_id(session_id)))
    if not found:
        raise failure("no attempt is kept for this call")
    _show(
        ["AT", "EVENT", "TRY", "MS", "STATUS", "FAILURE", "ENDPOINT", "ERROR"],
        [_attempt_line(row) for row in found],
    )


def _attempt_line(row: PushAttempt) -> list[object]:
    at = f"{row.at:%Y-%m-%d %H:%M:%S.%f}"[:-3]
    return [at, row.event_type, row.attempt, row.latency_ms, row.status, row.failure, row.url, row.error]


@cdrs.command("list")
def list_cdrs(
    app: AppOption = None, since: SinceOption = None, call: CallOption = None, config: ConfigOption = None
) -> None:
    """CDRs that were not delivered: waiting for the next attempt, held for a disabled endpoint, or filed."""
    found = _read(read_settings(config), lambda session: _undelivered(session, app, since, call))
    if not found:
        typer.echo("no CDR is undelivered")
        return
    _show(
        ["STATE", "APP", "ENDED", "ATTEMPTS", "NEXT", "CALL", "ENDPOINT"],
        [
            [
                _state(row),
                row.app_key,
                _moment(row.ended_at),
                row.attempts,
                _moment(row.due_at),
                row.call_id,
                endpoint_url(row.url),
            ]
            for row in found
        ],
    )


def _state(row: Undelivered) -> str:
    if row.filed_at is not None:
        return "filed"
    return "held" if row.due_at is None else "waiting"


@cdrs.command("push")
def push_cdrs(
    app: AppOption = None, since: SinceOption = None, call: CallOption = None, config: ConfigOption = None
) -> None:
    """Push undelivered CDRs now, each once, and enable their endpoints."""
    now = datetime.now(UTC)

    def work(session: Session) -> list[Undelivered]:
        found = _undelivered(session, app, since, call)
        outbox.push_again(session, [row.call_id for row in found], now)
        for app_key, url in {(row.app_key, endpoint_url(row.url)) for row in found}:
            rows.enable_endpoint(session, app_key, url)
        return found

    found = _write(read_settings(config), work)
    typer.echo(f"{len(found)} CDRs are pushed again" if found else "no CDR is undelivered")


def _undelivered(
    session: Session, app: str | None, since: datetime | None, call: str | None
) -> list[Undelivered]:
    return outbox.undelivered(
        session, app, since.replace(tzinfo=UTC) if since else None, _call_id(call) if call else None
    )


def _call_id(session_id: str) -> str:
    return session_id.partition("@")[0]

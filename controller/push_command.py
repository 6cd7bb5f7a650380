"""`voicecall pushes` and `voicecall cdr`: what became of pushes, and how what is left is delivered after all.

They work on the database; a running controller notices within five seconds.
"""

from datetime import UTC, datetime
from typing import Annotated

import typer
from sqlmodel import Session

from controller.command import (
    TIMES,
    ConfigOption,
    failure,
    in_utc,
    moment,
    read_database,
    read_settings,
    record,
    show_table,
    write_database,
)
from controller.pushes.push import endpoint_url
from controller.store import outbox
from controller.store import pushes as rows
from controller.store.outbox import Undelivered
from controller.store.tables import App, PushAttempt, PushEndpoint

pushes = typer.Typer(help="What became of pushes; which endpoints fail.", no_args_is_help=True)
cdrs = typer.Typer(help="CDRs that customers do not have yet.", no_args_is_help=True)

AppOption = Annotated[str | None, typer.Option("--app", help="Only those of this app (its key).")]
CallOption = Annotated[str | None, typer.Option("--call", help="Only that of this call (its session id).")]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        help="Only of calls that ended then or later, UTC.",
        formats=TIMES,
    ),
]


@pushes.command("list")
def list_endpoints(config: ConfigOption = None) -> None:
    """Endpoints that have failed since they last worked, and those that are disabled."""
    found = read_database(read_settings(config), rows.troubled_endpoints)
    if not found:
        typer.echo("every endpoint is well")
        return
    show_table(
        ["STATE", "APP", "FAILING SINCE", "FAILURES", "ENDPOINT", "LAST ERROR"],
        [_endpoint_line(row) for row in found],
    )


def _endpoint_line(row: PushEndpoint) -> list[object]:
    state = "disabled" if row.disabled_at else "failing"
    return [state, row.app_key, moment(row.failing_since), row.failures, row.url, row.error]


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
        if found:
            owner = _owner(session, app)
            record(session, "enable_push_endpoints", "endpoint", app, account_id=owner, after={"urls": found})
        return found

    found = write_database(read_settings(config), work)
    if not found:
        raise failure("nothing is held against such an endpoint")
    for own in found:
        typer.echo(f"enabled  {own}")


@pushes.command()
def attempts(
    session_id: Annotated[str, typer.Argument(help="Session id of the call.")], config: ConfigOption = None
) -> None:
    """Every attempt to tell of a call, oldest first."""
    call = _call_id(session_id)
    found = read_database(read_settings(config), lambda session: rows.attempts_of(session, call))
    if not found:
        raise failure("no attempt is kept for this call")
    show_table(
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
    found = read_database(read_settings(config), lambda session: _undelivered(session, app, since, call))
    if not found:
        typer.echo("no CDR is undelivered")
        return
    show_table(
        ["STATE", "APP", "ENDED", "ATTEMPTS", "NEXT", "CALL", "ENDPOINT"],
        [
            [
                _state(row),
                row.app_key,
                moment(row.ended_at),
                row.attempts,
                moment(row.due_at),
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
        for app_key in sorted({row.app_key for row in found}):
            owner, cdrs = _owner(session, app_key), sum(row.app_key == app_key for row in found)
            record(session, "push_cdrs_again", "cdr", app_key, account_id=owner, after={"cdrs": cdrs})
        return found

    found = write_database(read_settings(config), work)
    typer.echo(f"{len(found)} CDRs are pushed again" if found else "no CDR is undelivered")


def _undelivered(
    session: Session, app: str | None, since: datetime | None, call: str | None
) -> list[Undelivered]:
    return outbox.undelivered(session, app, in_utc(since), _call_id(call) if call else None)


def _owner(session: Session, app_key: str) -> str | None:
    app = session.get(App, app_key)
    return None if app is None else app.account_id


def _call_id(session_id: str) -> str:
    return session_id.partition("@")[0]

"""`voicecall calls` and `voicecall call`: finding calls, and all that is known of one.

They work on the database and on the index that a running controller keeps; without it they find the same,
more slowly.
"""

import sys
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from controller.capture.room import lent_captures
from controller.clock import SystemClock
from controller.command import (
    TIMES,
    ConfigOption,
    JsonOption,
    failure,
    in_utc,
    moment,
    read_settings,
    show,
    show_table,
    with_database,
)
from controller.details.calls_csv import calls_csv
from controller.details.index import lent_index
from controller.details.one_call import CallDetails
from controller.details.picture import timeline_svg
from controller.details.report import CallReport
from controller.details.search import CallSearch, Page
from controller.key_file import load_or_make_key
from controller.recordings.links import LinkSigner
from controller.store.call_filter import CallFilter, FilterError
from controller.store.database import Database
from controller.store.tables import Service

_SHOWN = 20
"""Calls of a page, unless it is said."""


def calls(
    session_id: Annotated[str | None, typer.Option(help="Part of the session id.")] = None,
    caller: Annotated[
        str | None, typer.Option(help="Part of the caller: A of a callback, else the number shown.")
    ] = None,
    callee: Annotated[str | None, typer.Option(help="Part of the number of whom the call is for.")] = None,
    text: Annotated[str | None, typer.Option(help="Part of any of these three.")] = None,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    app: Annotated[str | None, typer.Option(help="Only of this app (its key).")] = None,
    service: Annotated[Service | None, typer.Option(help="Only of this service.")] = None,
    result: Annotated[
        list[int] | None, typer.Option(help="Only with this stateCode; can be given several times.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only accepted then or later, UTC.", formats=TIMES)
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Only accepted before, UTC.", formats=TIMES)] = None,
    limit: Annotated[
        int | None, typer.Option(help="How many at most; without it 20, as CSV all.", min=1)
    ] = None,
    cursor: Annotated[str | None, typer.Option(help="Goes on behind the page that said so.")] = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="All that are found, as CSV.")] = False,
    config: ConfigOption = None,
) -> None:
    """Find calls, newest first."""
    if as_csv and (as_json or cursor is not None):
        raise failure("--csv goes with neither --json nor --cursor")
    settings = read_settings(config)

    async def search(database: Database) -> Page:
        wanted = CallFilter(
            app_key=app,
            service=service,
            results=frozenset(result or ()),
            session_id=session_id,
            caller=caller,
            callee=callee,
            text=text,
            since=in_utc(since),
            until=in_utc(until),
        )
        async with lent_index(database, settings.call_index) as index:
            found = CallSearch(database, index)
            if as_csv:
                async for piece in calls_csv(found, wanted, of_account=account, most=limit):
                    sys.stdout.write(piece)
                return Page([], None)
            return await found.find(wanted, of_account=account, cursor=cursor, limit=limit or _SHOWN)

    try:
        page = with_database(settings, search)
    except FilterError as error:
        raise failure(f"--{error.field.replace('_', '-')} {error.reason}") from None
    if as_csv:
        return
    show([asdict(call) for call in page.calls], as_json=as_json)
    if page.next is not None:
        typer.echo(f"more: --cursor {page.next}", err=True)


def call(
    session_id: Annotated[str, typer.Argument(help="Session id of the call.")],
    svg: Annotated[Path | None, typer.Option(help="Write the picture of the call to this file.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """All that is known of one call: how it went, both legs, every step, pushes, cost, recording."""
    settings = read_settings(config)

    async def tell(database: Database) -> CallReport | None:
        clock = SystemClock()
        key = load_or_make_key(settings.recording_key)
        signer = LinkSigner(key, clock, timedelta(minutes=settings.recordings.link_minutes))
        async with lent_captures(settings.capture, settings.capture_file, clock) as captures:
            details = CallDetails(database, settings, clock, signer, captures)
            return await details.report(session_id, of_account=None, inside=True)

    report = with_database(settings, tell)
    if report is None:
        raise failure("there is no such call")
    if svg is not None:
        svg.write_text(timeline_svg(report), "utf-8")
    if as_json:
        typer.echo(report.model_dump_json(indent=2))
    else:
        _print(report)


def _print(report: CallReport) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(report.verdict, markup=False, soft_wrap=True)
    console.print()
    show_table(
        ["LEG", "NUMBER", "SEES", "TRUNK", "DIALLED", "RANG", "TALKED", "CAUSE"],
        [
            [
                leg.name.upper(),
                leg.number,
                leg.shown,
                leg.trunk,
                moment(leg.dialled),
                _seconds(leg.ring_seconds),
                _seconds(leg.talk_seconds),
                f"{leg.cause} {leg.cause_text}".strip() if leg.cause else None,
            ]
            for leg in report.legs
        ],
    )
    console.print()
    show_table(["AFTER", "WHAT"], [[f"{step.seconds:9.3f} s", step.text] for step in report.steps])
    console.print()
    if report.cost is not None:
        console.print(f"cost: {report.cost.amount} ({report.cost.minutes} min)", markup=False)
    if report.recording is not None:
        told = f"recording: {report.recording.name}, {report.recording.state}, {report.recording.seconds:g} s"
        console.print(told, markup=False)
    if report.cdr_delivery is not None:
        console.print(f"CDR: {report.cdr_delivery.state}", markup=False)


def _seconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.1f} s"

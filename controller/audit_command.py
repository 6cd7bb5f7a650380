"""`voicecall audit`: check the audit trail, and take it elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlmodel import Session

from controller.command import ConfigOption, failure, read_settings
from controller.settings import Settings
from controller.store import audit
from controller.store.engines import make_engine
from controller.store.errors import DatabaseUnusable
from controller.store.schema import check_newest

app = typer.Typer(help="The audit trail: who did what, by API or command.", no_args_is_help=True)


@app.command()
def verify(
    expect: Annotated[
        str, typer.Option(help="Hash that an entry must have: what an earlier check or export ended with.")
    ] = "",
    config: ConfigOption = None,
) -> None:
    """Check that no entry was changed, moved or removed; exit status 1 if one was."""
    with _session(read_settings(config)) as session:
        state = audit.verify(session)
        missing = bool(expect) and not audit.has_hash(session, expect)
    if state.fault is not None:
        typer.echo(f"the audit trail was tampered with: {state.fault.text}", err=True)
        raise typer.Exit(1)
    if missing:
        typer.echo("the audit trail was tampered with: no entry has the expected hash", err=True)
        raise typer.Exit(1)
    typer.echo(f"{state.entries} entries, none changed; the last has hash {state.last_hash}")


@app.command()
def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; without it to standard output.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write every entry as a line of JSON, oldest first."""
    with _session(read_settings(config)) as session:
        lines = (audit.as_json(entry) for entry in audit.entries(session))
        if file is None:
            _print(lines)
            return
        try:
            with file.open("w", encoding="utf-8") as output:
                output.writelines(f"{line}\n" for line in lines)
        except OSError as error:
            raise failure(f"{file}: {error.strerror}") from None


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        typer.echo(line)


@contextmanager
def _session(settings: Settings) -> Iterator[Session]:
    try:
        check_newest(settings.database_url)
        engine = make_engine(settings.database_url)
    except DatabaseUnusable as error:
        raise failure(str(error)) from None
    try:
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()

"""`voicecall apply` and `voicecall export`: all that is declared, as a file."""

import asyncio
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlmodel import Session

from controller.accounts.declaration import Change, DeclarationError, apply, load_sounds, read_declaration
from controller.accounts.declared import Declaration
from controller.accounts.export import Exported, export
from controller.accounts.rules import check_windows
from controller.asterisk.configuration import write_private
from controller.billing import ledger
from controller.billing.prices import OwnTariff, read_prices, set_price
from controller.clock import SystemClock
from controller.command import ConfigOption, failure, read_database, read_settings
from controller.prompts import wav
from controller.prompts.library import PromptLibrary
from controller.settings import Settings
from controller.store.audit import is_secret
from controller.store.database import Database
from controller.store.errors import DatabaseUnusable
from controller.store.schema import check_newest, migrate


class _Foreseen(Exception):
    """What applying would have done; as an error it undoes that."""

    def __init__(self, changes: list[Change]) -> None:
        super().__init__()
        self.changes = changes


def apply_command(
    file: Annotated[Path, typer.Argument(help="What there shall be.")],
    dry_run: Annotated[bool, typer.Option(help="Show what would change, and change nothing.")] = False,
    config: ConfigOption = None,
) -> None:
    """Declare accounts, apps, numbers, sounds, templates, trunks, routes; applying again changes nothing."""
    settings = read_settings(config)
    try:
        changes = asyncio.run(apply_file(settings, file, dry_run=dry_run))
    except (DeclarationError, DatabaseUnusable, OSError) as error:
        raise failure(str(error)) from None
    for change in changes:
        typer.echo(f"{change.what:9}  {change.kind:8}  {change.name}")
        for line in _difference(change) if dry_run else ():
            typer.echo(f"           {line}")
    if dry_run:
        typer.echo("nothing was changed")


async def apply_file(settings: Settings, file: Path, *, dry_run: bool = False) -> list[Change]:
    """Apply a declaration to the database of these settings; a dry run only tells what that would change.

    Raises DeclarationError, DatabaseUnusable, OSError.
    """
    declared = read_declaration(file, settings.reserved_prefixes)
    for account in declared.accounts:
        try:
            check_windows(settings.limits, account, settings.details.keep_days)
        except ValueError as error:
            raise DeclarationError(f"account {account.id}: callee_windows: {error}") from None
    library = PromptLibrary(settings.prompt_dir)
    if dry_run:
        await asyncio.to_thread(check_newest, settings.database_url)
    else:
        await asyncio.to_thread(migrate, settings.database_url)
    sounds = load_sounds(declared, file.parent, library.foresee if dry_run else library.add)
    now = SystemClock().now()

    def work(session: Session) -> list[Change]:
        changes = apply(session, declared, sounds)
        changes += _apply_money(session, declared, now)
        if dry_run:
            raise _Foreseen(changes)
        return changes

    async with Database.of(settings) as database:
        try:
            return await database.write(work)
        except _Foreseen as foreseen:
            return foreseen.changes


def _apply_money(session: Session, declared: Declaration, now: datetime) -> list[Change]:
    """Have declared prices begin now, and freeze and thaw accounts that became prepaid or are no more."""
    changes: list[Change] = []
    for account in declared.accounts:
        before = read_prices(session).own(account.id, now)
        tariff = OwnTariff(account.minute_price, account.number_price)
        if set_price(session, account.id, tariff, now):
            columns = {
                "minute_price": (before.minute, tariff.minute),
                "number_price": (before.number_month, tariff.number_month),
            }
            changes.append(Change("price", account.id, "changed", columns))
        ledger.review(session, account.id, now)
    return changes


def _difference(change: Change) -> list[str]:
    """What is there now and what would be, of a thing that changes."""
    if change.what != "changed":
        return []
    return [
        f"{name}: {_shown(name, before)} -> {_shown(name, after)}"
        for name, (before, after) in change.columns.items()
        if before != after
    ]


def _shown(name: str, value: Any) -> str:
    if value is None or value in ("", []):
        return "none"
    return "***" if is_secret(name) else str(value)


def export_command(
    file: Annotated[Path, typer.Argument(help="The file to write; sound files go into a folder beside it.")],
    config: ConfigOption = None,
) -> None:
    """Write all that can be declared, secrets as well, into a file that `voicecall apply` takes."""
    settings = read_settings(config)
    folder = file.parent / f"{file.stem}-sounds"
    for path in (file, folder):
        if path.exists():
            raise failure(f"{path} is there already; it stays as it is")
    made = read_database(settings, lambda session: _exported(session, Path(folder.name)))
    try:
        _write(made, settings, file)
    except OSError as error:
        raise failure(f"{error.filename}: {error.strerror}") from None
    for reason in made.left_out:
        typer.echo(f"left out, as it is being reviewed: {reason}", err=True)
    typer.echo(f"{file} written, with secrets; {len(made.sounds)} sound files in {folder}")


def _exported(session: Session, folder: Path) -> Exported:
    book, now = read_prices(session), SystemClock().now()

    def price_of(account_id: str) -> tuple[Decimal | None, Decimal | None]:
        own = book.own(account_id, now)
        return own.minute, own.number_month

    return export(session, price_of, folder)


def _write(made: Exported, settings: Settings, file: Path) -> None:
    library, drafts = PromptLibrary(settings.prompt_dir), PromptLibrary(settings.draft_dir)
    for path, digest in made.sounds.items():
        try:
            audio = library.audio(digest)
        except FileNotFoundError:
            # What was never approved is no prompt yet.
            audio = drafts.audio(digest)
        target = file.parent / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(wav.write(audio))
    write_private(file, made.as_toml())

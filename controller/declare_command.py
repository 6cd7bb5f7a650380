"""`voicecall apply` and `voicecall export`: all that is declared, as a file."""

import asyncio
import getpass
import secrets
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from controller.accounts.changes import Change
from controller.accounts.declaration import DeclarationError, apply, load_sounds, look_at, things_of
from controller.accounts.declared import Declaration
from controller.accounts.export import Exported, export
from controller.accounts.people_declaration import PeopleDeclaration, declared_users, load_documents
from controller.accounts.rules import check_windows
from controller.asterisk.configuration import write_private
from controller.billing import ledger
from controller.billing.calendar import Calendar
from controller.billing.prices import OwnTariff, read_prices, set_prices
from controller.billing.rent import charge_all_rents
from controller.clock import SystemClock
from controller.command import ConfigOption, failure, read_database, read_settings
from controller.management.passwords import Passwords
from controller.management.proof import weakness
from controller.patience import patiently
from controller.prompts import wav
from controller.prompts.library import PromptLibrary
from controller.settings import Settings
from controller.store import people
from controller.store.audit import Deed, append_all, is_secret
from controller.store.database import Database
from controller.store.errors import DatabaseUnusable
from controller.store.schema import check_newest, migrate, revisions


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
    """Declare accounts with all that is theirs, users, trunks, routes; applying again changes nothing."""
    settings = read_settings(config)
    try:
        changes = asyncio.run(apply_file(settings, file, dry_run=dry_run))
    except (DeclarationError, DatabaseUnusable, OSError) as error:
        raise failure(str(error)) from None
    for change in changes:
        typer.echo(f"{change.what:9}  {change.kind:10}  {change.name}")
        for line in _difference(change) if dry_run else ():
            typer.echo(f"           {line}")
    if dry_run:
        typer.echo("nothing was changed")


async def apply_file(settings: Settings, file: Path, *, dry_run: bool = False) -> list[Change]:
    """Apply a declaration to the database of these settings; a dry run only tells what that would change.

    Raises DeclarationError, DatabaseUnusable, OSError.
    """
    reading = look_at(file, settings.reserved_prefixes)
    declared, faults = reading.declaration, reading.faults
    for account in declared.accounts:
        try:
            check_windows(settings.limits, account, settings.details.keep_days)
        except ValueError as error:
            faults.append(f"account {account.id}: callee_windows: {error}")
    library = PromptLibrary(settings.prompt_dir)
    sounds, wrong_sounds = load_sounds(declared, file.parent, library.foresee)
    documents, wrong_documents = load_documents(declared, file.parent)
    faults += wrong_sounds + wrong_documents + _weak_passwords(settings, declared)
    await _bring_to_date(settings, faults, dry_run)
    now, things = SystemClock().now(), things_of(declared, sounds)

    def work(session: Session) -> list[Change]:
        those = PeopleDeclaration(session, documents, hashes, now)
        changes = apply(
            session, declared, sounds, those, things=things, known=faults, left_out=reading.left_out
        )
        changes += _set_prices(session, declared, now)
        if dry_run:
            raise _Foreseen(changes)
        # Of who is new, or was not prepaid, or is so no longer.
        ledger.review_all(session, {each.name for each in changes if _concerns_balance(each)}, now)
        _record(session, changes, now)
        return changes

    async with Database.of(settings) as database:
        hashes = await _hashes(database, declared)
        if not faults and not dry_run:
            # First the audio, then the rows that name it.
            load_sounds(declared, file.parent, library.add)
        try:
            changes = await database.write(work)
        except _Foreseen as foreseen:
            return foreseen.changes
        # Batch by batch, as there are many statements to each. The hourly run does it where this dies.
        accounts = {account.id for account in declared.accounts}
        calendar, low = Calendar(settings.billing.zone_info), settings.billing.low_balance
        try:
            await charge_all_rents(database, now, calendar, low, accounts=accounts)
        except SQLAlchemyError as error:
            typer.echo(
                f"All is applied; rents that are not posted now are so within the hour: {error}", err=True
            )
        return changes


async def _bring_to_date(settings: Settings, faults: list[str], dry_run: bool) -> None:
    """Have the database at the newest schema. Raises DatabaseUnusable, DeclarationError.

    A database is not changed for a declaration that is at fault.
    """
    present, newest = await asyncio.to_thread(revisions, settings.database_url)
    if present == newest:
        return
    if faults:
        raise DeclarationError("\n".join(faults))
    if dry_run:
        await asyncio.to_thread(check_newest, settings.database_url)
    await patiently(partial(migrate, settings.database_url))


def _weak_passwords(settings: Settings, declared: Declaration) -> list[str]:
    """What is wrong with declared passwords. Raises OSError."""
    given = (
        (user, owner, user.password.get_secret_value())
        for owner, user in declared_users(declared)
        if user.password is not None
    )
    return [
        f"user {user.login}: password {fault}"
        for user, owner, password in given
        if (fault := weakness(settings.management, password, user.login, user.name, owner or ""))
    ]


async def _hashes(database: Database, declared: Declaration) -> dict[str, str]:
    """What is to be kept of declared passwords, by logins: what is there already, if it is the same one."""
    passwords = Passwords()
    given = {
        user.login: user.password.get_secret_value()
        for _owner, user in declared_users(declared)
        if user.password is not None
    }

    def read(session: Session) -> dict[str, str]:
        found = people.users_with_logins(session, given)
        return {login: user.password_hash for login, user in found.items()}

    kept = await database.read(read)
    return {
        login: kept[login]
        if login in kept and await passwords.matches(kept[login], password)
        else await passwords.hash(password)
        for login, password in given.items()
    }


def _record(session: Session, changes: list[Change], now: datetime) -> None:
    """Say in the audit trail what was changed; who may apply a file is whoever may read the settings."""
    request_id, login = secrets.token_hex(8), getpass.getuser()
    append_all(session, [_deed(each, request_id, login, now) for each in changes if each.what != "unchanged"])


def _deed(change: Change, request_id: str, login: str, now: datetime) -> Deed:
    before, after = (
        {name: to_jsonable_python(values[which]) for name, values in change.columns.items()}
        for which in (0, 1)
    )
    return Deed(
        at=now,
        request_id=request_id,
        actor="command",
        login=login,
        address="command",
        action="apply",
        kind=change.kind,
        target=change.name,
        account_id=change.account_id,
        before=None if change.what == "created" else before,
        after=None if change.what == "removed" else after,
    )


def _set_prices(session: Session, declared: Declaration, now: datetime) -> list[Change]:
    """Declared prices begin now."""
    tariffs = {its.id: OwnTariff(its.minute_price, its.number_price) for its in declared.accounts}
    return [
        Change(
            "price",
            name,
            "changed",
            {
                "minute_price": (before.minute, tariffs[name].minute),
                "number_price": (before.number_month, tariffs[name].number_month),
            },
            name,
        )
        for name, before in set_prices(session, tariffs, now).items()
    ]


def _concerns_balance(change: Change) -> bool:
    """Whether an account is frozen or thawed by it, going by its balance."""
    return change.kind == "account" and "prepaid" in change.columns


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
    sounds, documents = (file.parent / f"{file.stem}-{kind}" for kind in ("sounds", "documents"))
    for path in (file, sounds, documents):
        if path.exists():
            raise failure(f"{path} is there already; it stays as it is")
    made = read_database(
        settings, lambda session: _exported(session, Path(sounds.name), Path(documents.name))
    )
    try:
        _write(made, settings, file)
    except OSError as error:
        raise failure(f"{error.filename}: {error.strerror}") from None
    for reason in made.left_out:
        typer.echo(f"left out, as it is being reviewed: {reason}", err=True)
    typer.echo(f"{file} written, with secrets; {len(made.sounds)} sound files in {sounds}")
    if made.documents:
        typer.echo(f"{len(made.documents)} documents of enterprises in {documents}")


def _exported(session: Session, sounds: Path, documents: Path) -> Exported:
    book, now = read_prices(session), SystemClock().now()

    def price_of(account_id: str) -> tuple[Decimal | None, Decimal | None]:
        own = book.own(account_id, now)
        return own.minute, own.number_month

    return export(session, price_of, sounds, documents)


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
    for path, content in made.documents.items():
        target = file.parent / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_bytes(content)
    write_private(file, made.as_toml())

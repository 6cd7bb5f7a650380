"""`voicecall sound` and `voicecall review`: sound files and the review queue without a browser.

They work on the database and the data folder; a running controller notices within a second.
"""

import asyncio
import getpass
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from controller.clock import SystemClock
from controller.command import (
    AccountArgument,
    ConfigOption,
    JsonOption,
    T,
    failure,
    read_settings,
    record,
    show,
    with_database,
)
from controller.prompts import wav
from controller.prompts.conversion.converter import Converter, ReadySound
from controller.prompts.errors import PromptError
from controller.review.errors import ReviewError
from controller.review.queue import ReviewQueue, Submission
from controller.sounds.errors import ContentError
from controller.sounds.files import Sound, SoundFiles
from controller.sounds.reviewed import REVIEWED
from controller.sounds.room import sound_files
from controller.store.database import Database
from controller.store.reviews import QueueState
from controller.store.sounds import media_of_live_plans
from controller.store.tables import Account

sound = typer.Typer(help="Sound files of accounts.", no_args_is_help=True)
review = typer.Typer(help="What waits for a decision before calls can use it.", no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="The file.")]
NameArgument = Annotated[str, typer.Argument(help="Name of the sound file.")]
IdArgument = Annotated[int, typer.Argument(help="Number of the submission.")]
ByOption = Annotated[str | None, typer.Option(help="Who does this; else the user of this machine.")]

_PIECE = 1 << 20

Note = Callable[[str, str, Sound | None], Coroutine[Any, Any, None]]
"""Says in the audit trail: this action, on the sound file of this name, which is so now."""


@sound.command()
def check(file: FileArgument) -> None:
    """Say what is wrong with a file, if anything is; exit status 2 if so."""
    ready = _looked_at(file, convert=False)
    typer.echo(f"{file} has the required form: {ready.duration_ms / 1000:.1f} s")


@sound.command()
def convert(file: FileArgument, out: Annotated[Path, typer.Option(help="The WAV file to write.")]) -> None:
    """Make a file of the required form of a WAV, MP3, Ogg or FLAC file, its loudness evened."""
    ready = _looked_at(file, convert=True)
    try:
        out.write_bytes(wav.write(ready.audio))
    except OSError as error:
        raise failure(f"{out}: {error.strerror}") from None
    typer.echo(f"{out} written ({ready.source}, {ready.duration_ms / 1000:.1f} s)")


def _looked_at(file: Path, *, convert: bool) -> ReadySound:
    if not file.is_file():
        raise failure(f"{file}: no such file")
    converter = Converter()
    try:
        return asyncio.run(converter.convert(file) if convert else converter.check(file))
    except PromptError as error:
        raise failure(f"{file}: {error}") from None


@sound.command()
def upload(
    account: AccountArgument,
    file: FileArgument,
    name: Annotated[str | None, typer.Option(help="Its name in requests; else that of the file.")] = None,
    convert: Annotated[bool, typer.Option("--convert", help="It has another form; convert it.")] = False,
    submit: Annotated[bool, typer.Option("--submit", help="Ask for its review, too.")] = False,
    by: ByOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Upload a sound file as a draft."""

    async def work(files: SoundFiles, note: Note) -> Sound:
        made = await files.upload(account, name or file.name, _pieces(file), convert=convert)
        await note("upload_sound", made.name, made)
        return await _submitted(files, note, account, made.name, by) if submit else made

    _show([_with_sounds(config, work, account, by)], as_json=as_json)


async def _pieces(file: Path) -> AsyncIterator[bytes]:
    with file.open("rb") as source:
        while piece := await asyncio.to_thread(source.read, _PIECE):
            yield piece


@sound.command("list")
def list_sounds(account: AccountArgument, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """The sound files of an account."""

    async def work(files: SoundFiles, _note: Note) -> list[Sound]:
        found: list[Sound] = []
        while page := await files.page(account, after=found[-1].name if found else "", limit=200):
            found += page
        return found

    _show(_with_sounds(config, work, account), as_json=as_json)


@sound.command()
def submit(
    account: AccountArgument,
    name: NameArgument,
    by: ByOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Ask for the review of a draft."""
    submitted = _with_sounds(
        config, lambda files, note: _submitted(files, note, account, name, by), account, by
    )
    _show([submitted], as_json=as_json)


async def _submitted(files: SoundFiles, note: Note, account: str, name: str, by: str | None) -> Sound:
    made = await files.submit(account, name, _user(by))
    await note("submit_sound", name, made)
    return made


@sound.command()
def delete(account: AccountArgument, name: NameArgument, config: ConfigOption = None) -> None:
    """Delete a sound file; requests that name it are refused from then on.

    Calls that play it go on: its audio stays until none of them can need it any more.
    """

    async def work(files: SoundFiles, note: Note) -> None:
        await files.delete(account, name)
        await note("delete_sound", name, None)

    _with_sounds(config, work, account)
    typer.echo(f"{name} is deleted")


def _with_sounds(
    config: Path | None,
    work: Callable[[SoundFiles, Note], Coroutine[Any, Any, T]],
    account: str,
    by: str | None = None,
) -> T:
    settings = read_settings(config)

    async def run(database: Database) -> T:
        if await database.read(lambda session: session.get(Account, account)) is None:
            raise failure(f"there is no account {account}")
        # Of calls under way those are known here that outlive their controller.
        playing = await database.read(media_of_live_plans)
        files = sound_files(settings, database, SystemClock(), lambda media: playing.get(media, ()))

        async def note(action: str, name: str, after: Sound | None) -> None:
            told = None if after is None else {"state": after.state, "source": after.source}
            target = f"{account}:{name}"
            await database.write(
                lambda session: record(
                    session, action, "sound", target, account_id=account, after=told, by=by
                )
            )

        return await work(files, note)

    try:
        return with_database(settings, run)
    except (PromptError, ContentError) as error:
        raise failure(str(error)) from None
    except OSError as error:
        raise failure(f"{error.filename}: {error.strerror}") from None


def _show(sounds: list[Sound], *, as_json: bool) -> None:
    show(
        [
            {
                "name": one.name,
                "state": one.state,
                "usable": "yes" if one.current else "as before" if one.usable else "no",
                "seconds": one.duration_ms / 1000,
                "converted_from": one.source,
                "why_not": one.reason or one.trouble,
            }
            for one in sounds
        ],
        as_json=as_json,
    )


@review.command("list")
def list_reviews(
    everything: Annotated[bool, typer.Option("--all", help="Decided ones, too.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What waits for a decision, oldest first."""
    state = None if everything else QueueState.PENDING

    async def read(database: Database) -> list[Submission]:
        return await ReviewQueue(database, SystemClock(), REVIEWED).page(state=state, limit=1000)

    _show_reviews(_with_reviews(config, read), as_json=as_json)


@review.command()
def approve(
    number: IdArgument, by: ByOption = None, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Let calls use a thing; the account's contacts are told."""
    decided = _decided(config, "approve_review", lambda queue: queue.approve(number, _user(by)), by)
    _show_reviews([decided], as_json=as_json)


@review.command()
def reject(
    number: IdArgument,
    reason: Annotated[str, typer.Option(help="Why; the account's contacts are told.")],
    by: ByOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send a thing back."""
    decided = _decided(config, "reject_review", lambda queue: queue.reject(number, _user(by), reason), by)
    _show_reviews([decided], as_json=as_json)


def _decided(
    config: Path | None,
    action: str,
    work: Callable[[ReviewQueue], Coroutine[Any, Any, Submission]],
    by: str | None,
) -> Submission:
    async def run(database: Database) -> Submission:
        made = await work(ReviewQueue(database, SystemClock(), REVIEWED))
        told = {"kind": made.kind, "subject": made.subject, "state": made.state, "reason": made.reason}
        target, account = f"rev-{made.id}", made.account_id
        await database.write(
            lambda session: record(session, action, "review", target, account_id=account, after=told, by=by)
        )
        return made

    return _with_reviews(config, run)


def _with_reviews(config: Path | None, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    try:
        return with_database(read_settings(config), work)
    except (ReviewError, ValueError) as error:
        raise failure(str(error)) from None


def _show_reviews(found: list[Submission], *, as_json: bool) -> None:
    show(
        [
            {
                "number": one.id,
                "state": one.state,
                "account": one.account_id,
                "kind": one.kind,
                "what": one.subject,
                "submitted": one.submitted_at,
                "by": one.submitted_by,
                "reason": one.reason,
            }
            for one in found
        ],
        as_json=as_json,
    )


def _user(by: str | None) -> str:
    return by or getpass.getuser()

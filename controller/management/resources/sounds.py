"""Sound files: uploaded, heard, seen, submitted, deleted."""

from collections.abc import Sequence
from typing import Any

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.management.context import Context
from controller.management.models import AccountQuery, Input, OwnAccount, Page, Query, View
from controller.management.operations import Download, Kind, Operations, Owner, Stream
from controller.management.problems import (
    Conflict,
    Fault,
    Invalid,
    Malformed,
    NotFound,
    Problem,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
    Use,
    wrong_field,
)
from controller.management.roles import Role
from controller.prompts.errors import ConversionBusyError, SoundFileError, SoundNameError, SoundProblem
from controller.sounds.errors import (
    NotADraft,
    SoundInUse,
    SoundUnknown,
    TooManySounds,
    UploadKept,
    UploadsBusy,
    UploadUnknown,
)
from controller.sounds.files import Sound, SoundFiles, sound_of
from controller.store.tables import ReviewState, SoundFile

_SEPARATOR = ":"
_BUSY = 5
"""Seconds."""
KEPT = "upload"
"""What a refused file is called that waits for being converted."""


def _unfit(error: SoundFileError, uses: Sequence[Use] = ()) -> Problem:
    if error.problem is SoundProblem.TOO_LARGE:
        return TooLarge(str(error), uses=uses)
    fault = Fault(place="body", field=error.problem, detail=str(error))
    return Invalid(str(error), errors=[fault], uses=uses)


operations = Operations(
    "sound",
    {
        SoundUnknown: lambda error: NotFound(),
        SoundInUse: lambda error: Conflict(
            str(error), uses=[Use(kind="call", id=session) for session in error.sessions]
        ),
        NotADraft: lambda error: Conflict(str(error)),
        TooManySounds: lambda error: Conflict(str(error)),
        UploadsBusy: lambda error: Unavailable(str(error), retry_after=_BUSY),
        ConversionBusyError: lambda error: Unavailable(str(error), retry_after=_BUSY),
        SoundNameError: lambda error: wrong_field("name", str(error), "query"),
        SoundFileError: _unfit,
        UploadKept: lambda error: _unfit(error.fault, [Use(kind=KEPT, id=error.ticket)]),
        UploadUnknown: lambda error: Invalid(
            str(error), errors=[Fault(place="body", field="upload", detail=str(error))]
        ),
    },
)


def _find(session: Session, sound_id: str) -> Owner | None:
    account_id, _, name = sound_id.partition(_SEPARATOR)
    return None if session.get(SoundFile, (account_id, name)) is None else Owner(account_id)


SOUND = Kind(
    "sound",
    "sound_id",
    "The sound file: its account's id, a colon and its name.",
    _find,
    r"^[A-Za-z0-9_-]{1,32}:[A-Za-z0-9._@-]{1,128}$",
)


class SoundView(View):
    """A sound file."""

    id: str
    """The account's id, a colon and the name."""
    account_id: str
    """Whose it is."""
    name: str
    """By what requests name it."""
    state: ReviewState
    """How far the sound that was uploaded last has come."""
    reason: str | None
    """Why it was rejected."""
    seconds: float
    """How long it plays."""
    source: str
    """What it was converted from; empty if it came in the required form."""
    usable: bool
    """Whether calls can play it: this sound, or what was approved under this name before."""
    current: bool
    """Whether what calls play is this sound."""
    trouble: str | None
    """Why it can't be used although it was approved."""


class SoundQuery(AccountQuery):
    """Which sound files."""

    state: ReviewState | None = None
    """Only those of which the last sound is in this state."""


class UploadQuery(Query):
    """What is uploaded."""

    account_id: OwnAccount = None
    name: str = Field("", max_length=200)
    """Its name in requests: letters, digits and . _ @ -, ends in .wav."""
    convert: bool = False
    """Convert a WAV file of another form, an MP3, Ogg or FLAC file, and even its loudness."""
    keep: bool = False
    """A refused file that could be converted waits an hour for that (`convert_upload`): `uses` names it."""


class Conversion(Input):
    """What is to become of a refused file."""

    account_id: OwnAccount = None
    upload: str = Field(pattern=r"^[0-9a-f]{32}$")
    """What `uses` named when the file was refused."""
    name: str = Field(max_length=200)
    """Its name in requests."""


class WaveformQuery(Query):
    """How fine the picture is."""

    parts: int = Field(200, ge=1, le=2000)
    """Peaks at most."""


class WaveformView(View):
    """The picture of a sound."""

    seconds: float
    """How long it plays."""
    peaks: list[float]
    """The loudest sample, from 0 to 1, in each of so many equal parts."""


def _view(sound: Sound) -> SoundView:
    return SoundView(
        id=f"{sound.account_id}{_SEPARATOR}{sound.name}",
        account_id=sound.account_id,
        name=sound.name,
        state=sound.state,
        reason=sound.reason,
        seconds=sound.duration_ms / 1000,
        source=sound.source,
        usable=sound.usable,
        current=sound.current,
        trouble=sound.trouble,
    )


def _files(ctx: Context) -> SoundFiles:
    return ctx.services.content.sounds


def _name(ctx: Context) -> str:
    return ctx.path["sound_id"].partition(_SEPARATOR)[2]


@operations.get("/sounds", needs=Role.VIEWER)
async def list_sounds(ctx: Context, query: SoundQuery) -> Page[SoundView]:
    """List sound files."""
    found = select(SoundFile)
    if query.state is not None:
        found = found.where(col(SoundFile.state) == query.state)
    keys: list[Any] = [col(SoundFile.account_id), col(SoundFile.name)]
    return await ctx.page(
        found, keys, query, lambda row: _view(sound_of(row)), account=col(SoundFile.account_id)
    )


@operations.post(
    "/sounds",
    needs=Role.DEVELOPER,
    media_types=["application/octet-stream"],
    problems=[Conflict, Unavailable, Malformed, UnsupportedMediaType],
)
async def upload_sound(ctx: Context, query: UploadQuery, body: Stream) -> SoundView:
    """Upload a sound file.

    The body is the file, of which the content alone counts: WAV, A-law, 8000 Hz, 64 kbit/s, mono, at most
    2 MB, or with `convert` any WAV, MP3, Ogg or FLAC file. It is a draft then; under a name that is there
    already, calls go on with what was approved. A file that breaks rules is refused with each of them named.
    """
    made = await _files(ctx).upload(
        ctx.account,
        query.name,
        body.pieces,
        convert=query.convert,
        keep=query.keep,
        announced=body.length,
    )
    view = _view(made)
    await ctx.note("sound", view.id, after=view)
    return view


@operations.post(
    "/sounds/conversions",
    needs=Role.DEVELOPER,
    problems=[Unavailable],
    example={"account_id": "acme", "upload": "0" * 32, "name": "hello.wav"},
)
async def convert_upload(ctx: Context, body: Conversion) -> SoundView:
    """Convert a file that was refused and kept, without uploading it again.

    It is a draft then. Each controller knows the files that it was sent itself.
    """
    view = _view(await _files(ctx).convert_kept(ctx.account, body.upload, body.name))
    await ctx.note("sound", view.id, after=view)
    return view


@operations.get("/sounds/{sound_id}", needs=Role.VIEWER, kinds=[SOUND])
async def get_sound(ctx: Context) -> SoundView:
    """Read a sound file."""
    return _view(await _files(ctx).get(ctx.account, _name(ctx)))


@operations.get("/sounds/{sound_id}/audio", needs=Role.VIEWER, kinds=[SOUND])
async def get_sound_audio(ctx: Context) -> Download:
    """Hear a sound file, as phones will: the sound that was uploaded last."""
    return Download(await _files(ctx).audio(ctx.account, _name(ctx)), "audio/wav", _name(ctx))


@operations.get("/sounds/{sound_id}/waveform", needs=Role.VIEWER, kinds=[SOUND])
async def get_sound_waveform(ctx: Context, query: WaveformQuery) -> WaveformView:
    """See a sound file: the peaks of the sound that was uploaded last."""
    sound = await _files(ctx).get(ctx.account, _name(ctx))
    peaks = await _files(ctx).peaks(ctx.account, _name(ctx), query.parts)
    return WaveformView(seconds=sound.duration_ms / 1000, peaks=peaks)


@operations.post(
    "/sounds/{sound_id}/submit", needs=Role.DEVELOPER, kinds=[SOUND], status=200, problems=[Conflict]
)
async def submit_sound(ctx: Context) -> SoundView:
    """Ask for the review of a draft, or of what was rejected."""
    before = await _files(ctx).get(ctx.account, _name(ctx))
    after = _view(await _files(ctx).submit(ctx.account, _name(ctx), by=ctx.user.login))
    await ctx.note("sound", after.id, before=_view(before), after=after)
    return after


@operations.delete("/sounds/{sound_id}", needs=Role.DEVELOPER, kinds=[SOUND], problems=[Conflict])
async def delete_sound(ctx: Context) -> None:
    """Delete a sound file.

    What calls in progress play can't be deleted; `uses` names them.
    """
    before = _view(await _files(ctx).get(ctx.account, _name(ctx)))
    await _files(ctx).delete(ctx.account, _name(ctx))
    await ctx.note("sound", before.id, before=before)
    await ctx.services.directory.refresh()

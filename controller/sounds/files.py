"""Sound files of accounts: uploaded, checked or converted, heard, submitted, decided, replaced, deleted.

What was uploaded last is a draft in a folder that no node reads; calls go on with what was approved before,
if anything was. `distribution.py` takes what is approved to the nodes.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session

from controller.clock import Clock
from controller.prompts import wav, waveform
from controller.prompts.conversion.converter import Converter, ReadySound
from controller.prompts.errors import SoundFileError, SoundProblem
from controller.prompts.library import PromptLibrary, StoredPrompt
from controller.review.errors import ReviewOutdated
from controller.review.queue import Verdict
from controller.sounds.errors import NotADraft, SoundInUse, SoundUnknown, TooManySounds, UploadKept
from controller.sounds.uploads import UploadDesk
from controller.store import reviews
from controller.store import sounds as rows
from controller.store.database import Database
from controller.store.directory import count_change
from controller.store.reviews import ReviewKind
from controller.store.tables import ReviewState, SoundFile

_SETTLED = 3600.0
"""Seconds after which a draft that the database doesn't know is nobody's."""
_PAST_HELP = {SoundProblem.NO_SOUND, SoundProblem.TRUNCATED_HEADER, SoundProblem.CANNOT_CONVERT}
"""What converting doesn't cure."""

InUse = Callable[[str], Sequence[str]]
"""The session ids of calls in progress that play a medium of Asterisk's."""


@dataclass(frozen=True)
class SoundLimits:
    """How much may be uploaded: bytes of a file that is converted, files of an account."""

    convert_bytes: int
    files_per_account: int


@dataclass(frozen=True)
class Sound:
    """A sound file as its account sees it."""

    account_id: str
    name: str
    state: ReviewState
    reason: str | None
    """Why it was rejected."""
    duration_ms: int
    source: str
    """What it was converted from, in words; "" if it had the required form."""
    usable: bool
    """Whether calls can play it: as it is (`current`), or as it was approved before."""
    current: bool
    trouble: str | None
    """Why not, although it was approved."""
    version: str
    """Changes with every change."""


class SoundFiles:
    """The sound files of all accounts.

    :param drafts: what was uploaded; a folder of this controller's alone.
    :param library: what nodes play.
    """

    def __init__(
        self,
        database: Database,
        drafts: PromptLibrary,
        library: PromptLibrary,
        converter: Converter,
        uploads: UploadDesk,
        clock: Clock,
        limits: SoundLimits,
        in_use: InUse,
    ) -> None:
        self._database = database
        self._drafts = drafts
        self._library = library
        self._converter = converter
        self._uploads = uploads
        self._clock = clock
        self._limits = limits
        self._in_use = in_use
        # A draft that one upload discards may be what another has just kept.
        self._keeping = asyncio.Lock()

    async def clear(self) -> None:
        """Remove uploads and drafts that nothing in the database knows: what a kill left behind."""
        await asyncio.to_thread(self._uploads.clear)
        known = await self._database.read(rows.drafts)
        # Another process may be about to write down what it has just kept.
        before = self._clock.now().timestamp() - _SETTLED
        await asyncio.to_thread(self._drafts.keep_only, known, before)

    async def upload(
        self,
        account_id: str,
        name: str,
        body: AsyncIterable[bytes],
        *,
        convert: bool = False,
        keep: bool = False,
        announced: int | None = None,
    ) -> Sound:
        """Take a new file or new sound for an old one; it is a draft then. The same sound changes nothing.

        :param announced: bytes that the body is said to have; if these are too many, nothing of it is read.
        :param convert: make a file of another form (WAV, MP3, Ogg, FLAC) one of the required form.
        :param keep: a file that isn't in the required form, but may be converted, waits for that.
        :raises SoundNameError: the name can't be one.
        :raises SoundFileError: the file isn't in the required form, or can't be converted.
        :raises UploadKept: it isn't in the required form, and waits (`convert_kept`).
        :raises ConversionBusyError, UploadsBusy, TooManySounds: nothing is taken now.
        """
        wav.check_name(name)
        await self._database.read(lambda session: self._check_room(session, account_id, name))
        limit = self._limits.convert_bytes if convert or keep else wav.MAX_BYTES
        async with self._uploads.received(body, limit, announced or 0) as path:
            try:
                ready = await (self._converter.convert(path) if convert else self._converter.check(path))
            except SoundFileError as fault:
                if convert or not keep or fault.problem in _PAST_HELP:
                    raise
                raise UploadKept(fault, self._uploads.keep(path, account_id)) from None
        return await self._taken(account_id, name, ready)

    async def convert_kept(self, account_id: str, ticket: str, name: str) -> Sound:
        """Take a file that waits, converted; it is a draft then, and waits no longer.

        :raises UploadUnknown: it doesn't wait, or no longer.
        :raises SoundNameError, SoundFileError, ConversionBusyError, TooManySounds: as in `upload`.
        """
        wav.check_name(name)
        await self._database.read(lambda session: self._check_room(session, account_id, name))
        path = self._uploads.kept(account_id, ticket)
        sound = await self._taken(account_id, name, await self._converter.convert(path))
        path.unlink(missing_ok=True)
        return sound

    async def _taken(self, account_id: str, name: str, ready: ReadySound) -> Sound:
        async with self._keeping:
            stored = await asyncio.to_thread(self._drafts.keep, ready.audio)
            sound, gone = await self._database.write(
                partial(self._put, account_id=account_id, name=name, stored=stored, ready=ready)
            )
            await self._discard(gone)
        return sound

    async def page(
        self, account_id: str, *, after: str = "", limit: int = 50, state: ReviewState | None = None
    ) -> list[Sound]:
        """Sound files of an account by name, those behind `after`."""
        return await self._database.read(
            lambda session: [
                sound_of(row)
                for row in rows.sounds(session, account_id, after=after, limit=limit, state=state)
            ]
        )

    async def get(self, account_id: str, name: str) -> Sound:
        """One sound file. Raises SoundUnknown."""
        return await self._database.read(lambda session: sound_of(_found(session, account_id, name)))

    async def audio(self, account_id: str, name: str) -> bytes:
        """The WAV file with what was uploaded last. Raises SoundUnknown."""
        return wav.write(await self._alaw(account_id, name))

    async def peaks(self, account_id: str, name: str, count: int) -> list[float]:
        """The picture of it: the loudest sample (0 to 1) in each of `count` parts. Raises SoundUnknown."""
        audio = await self._alaw(account_id, name)
        return await asyncio.to_thread(waveform.peaks, audio, count)

    async def submit(self, account_id: str, name: str, by: str) -> Sound:
        """Ask for the review of a draft, or of what was rejected. Raises SoundUnknown, NotADraft."""
        now = self._clock.now()

        def work(session: Session) -> Sound:
            row = _found(session, account_id, name)
            if row.state not in (ReviewState.DRAFT, ReviewState.REJECTED):
                raise NotADraft(f"{name} is {row.state} already")
            row.state, row.reason = ReviewState.SUBMITTED, None
            reviews.submit(session, account_id, ReviewKind.SOUND, name, version=row.digest, by=by, now=now)
            return sound_of(row)

        return await self._database.write(work)

    async def delete(self, account_id: str, name: str) -> None:
        """Delete a sound file. Raises SoundUnknown, SoundInUse."""

        def work(session: Session) -> str:
            row = _found(session, account_id, name)
            sessions = self._in_use(self._library.media(row.usable_digest)) if row.usable_digest else ()
            if sessions:
                raise SoundInUse(name, sessions)
            reviews.withdraw(session, account_id, ReviewKind.SOUND, name)
            digest = row.digest
            session.delete(row)
            session.flush()
            count_change(session)
            return "" if rows.is_referenced(session, digest) else digest

        async with self._keeping:
            await self._discard(await self._database.write(work))

    async def _alaw(self, account_id: str, name: str) -> bytes:
        digest = await self._database.read(lambda session: _found(session, account_id, name).digest)
        return await asyncio.to_thread(audio_of, digest, self._drafts, self._library)

    def _check_room(self, session: Session, account_id: str, name: str) -> None:
        most = self._limits.files_per_account
        if rows.sound(session, account_id, name) is None and rows.count_sounds(session, account_id) >= most:
            raise TooManySounds(f"The account has {most} sound files; delete some first")

    def _put(
        self, session: Session, account_id: str, name: str, stored: StoredPrompt, ready: ReadySound
    ) -> tuple[Sound, str]:
        """The row, and the digest of a draft that nothing refers to any more."""
        self._check_room(session, account_id, name)
        row = rows.sound(session, account_id, name)
        if row is None:
            row = SoundFile(
                account_id=account_id, name=name, digest=stored.digest, duration_ms=stored.duration_ms
            )
            session.add(row)
            before = stored.digest
        else:
            before = row.digest
            if before == stored.digest:
                return sound_of(row), ""
        row.digest, row.duration_ms, row.source = stored.digest, stored.duration_ms, ready.source
        approved = row.usable_digest == row.digest
        row.state = ReviewState.APPROVED if approved else ReviewState.DRAFT
        row.reason = row.trouble = None
        reviews.withdraw(session, account_id, ReviewKind.SOUND, name)
        session.flush()
        gone = before != stored.digest and not rows.is_referenced(session, before)
        return sound_of(row), before if gone else ""

    async def _discard(self, digest: str) -> None:
        if digest:
            await asyncio.to_thread(self._drafts.discard, digest)


def decide_sound(session: Session, account_id: str, name: str, verdict: Verdict) -> None:
    """Bring a verdict of the review queue into force. Raises ReviewOutdated."""
    row = rows.sound(session, account_id, name)
    if row is None or row.state != ReviewState.SUBMITTED or row.digest != verdict.version:
        raise ReviewOutdated(f"{name} is no longer what was submitted")
    row.state = ReviewState.APPROVED if verdict.approved else ReviewState.REJECTED
    row.reason = verdict.reason


def audio_of(digest: str, drafts: PromptLibrary, library: PromptLibrary) -> bytes:
    """The A-law bytes of a digest: a draft, or declared by the operator. Raises FileNotFoundError."""
    try:
        return drafts.audio(digest)
    except FileNotFoundError:
        return library.audio(digest)


def sound_of(row: SoundFile) -> Sound:
    """What a row says."""
    current = row.state == ReviewState.APPROVED and row.usable_digest == row.digest
    return Sound(
        row.account_id,
        row.name,
        ReviewState(row.state),
        row.reason,
        row.duration_ms,
        row.source,
        row.usable_digest is not None,
        current,
        None if current else row.trouble,
        f"{row.digest[:16]}-{row.state}-{'current' if current else 'waiting'}",
    )


def _found(session: Session, account_id: str, name: str) -> SoundFile:
    row = rows.sound(session, account_id, name)
    if row is None:
        raise SoundUnknown(f"there is no sound file {name}")
    return row

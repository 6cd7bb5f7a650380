"""Voice templates of accounts: written, heard with sample values, submitted, decided, deleted."""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlmodel import Session

from controller.clock import Clock
from controller.prompts import templates as texts
from controller.prompts.errors import TemplateSyntaxError
from controller.prompts.speech.synthesiser import Synthesiser
from controller.review.errors import ReviewOutdated
from controller.review.queue import Verdict
from controller.sounds.errors import (
    NotADraft,
    PreviewsBusy,
    PreviewUnavailable,
    TemplateExists,
    TemplateUnknown,
)
from controller.store import reviews
from controller.store import sounds as rows
from controller.store.database import Database
from controller.store.directory import count_change
from controller.store.reviews import ReviewKind
from controller.store.tables import ReviewState, Template

_PREVIEWS = 2
"""At the same time: calls need the voice, too."""


@dataclass(frozen=True)
class VoiceTemplate:
    """A template as its account sees it."""

    account_id: str
    id: str
    name: str
    text: str
    variables: tuple[str, ...]
    """As the text writes them, in the order of their values."""
    state: ReviewState
    reason: str | None
    usable: bool
    """Whether calls can use it: with this text, or with the one approved before."""
    version: str
    """Changes with every change."""


class VoiceTemplates:
    """The templates of all accounts; without `speech` they can't be heard, `silence` says why."""

    def __init__(
        self, database: Database, speech: Synthesiser | None, clock: Clock, silence: str = ""
    ) -> None:
        self._database = database
        self._speech = speech
        self._silence = silence
        self._clock = clock
        self._previews = 0

    async def create(
        self, account_id: str, text: str, *, name: str = "", template_id: str | None = None
    ) -> VoiceTemplate:
        """A new draft; without an id it gets one. Raises TemplateSyntaxError, TemplateExists."""
        texts.parse(text)
        own_id = template_id or f"tpl-{secrets.token_hex(8)}"

        def work(session: Session) -> VoiceTemplate:
            if rows.template(session, account_id, own_id) is not None:
                raise TemplateExists(f"there is a template {own_id} already")
            row = Template(account_id=account_id, id=own_id, name=name, text=text)
            session.add(row)
            session.flush()
            # An id that did not exist is answered with another code than one that waits for its review.
            count_change(session)
            return template_of(row)

        return await self._database.write(work)

    async def edit(
        self,
        account_id: str,
        template_id: str,
        *,
        text: str | None = None,
        name: str | None = None,
        expect: Callable[[VoiceTemplate], None] = lambda present: None,
    ) -> VoiceTemplate:
        """Change name or text. A new text is a draft; calls go on with the one approved before.

        `expect` may raise, when what is there is not what it should be.

        Raises TemplateUnknown, TemplateSyntaxError.
        """
        if text is not None:
            texts.parse(text)

        def work(session: Session) -> VoiceTemplate:
            row = _found(session, account_id, template_id)
            expect(template_of(row))
            row.name = row.name if name is None else name
            if text is not None and text != row.text:
                row.text, row.reason = text, None
                row.state = ReviewState.APPROVED if text == row.usable_text else ReviewState.DRAFT
                reviews.withdraw(session, account_id, ReviewKind.TEMPLATE, template_id)
            return template_of(row)

        return await self._database.write(work)

    async def page(
        self, account_id: str, *, after: str = "", limit: int = 50, state: ReviewState | None = None
    ) -> list[VoiceTemplate]:
        """Templates of an account by id, those behind `after`."""
        return await self._database.read(
            lambda session: [
                template_of(row)
                for row in rows.templates(session, account_id, after=after, limit=limit, state=state)
            ]
        )

    async def get(self, account_id: str, template_id: str) -> VoiceTemplate:
        """One template. Raises TemplateUnknown."""
        return await self._database.read(
            lambda session: template_of(_found(session, account_id, template_id))
        )

    async def preview(self, account_id: str, template_id: str, values: Sequence[str] | None = None) -> bytes:
        """A WAV file of what a phone would hear, with values of this module's if there are none.

        Raises TemplateUnknown, TemplateValueError, TemplateValueCountError, PreviewUnavailable, PreviewsBusy,
        SpeechError.
        """
        return await self.preview_text((await self.get(account_id, template_id)).text, values)

    async def preview_text(self, text: str, values: Sequence[str] | None = None) -> bytes:
        """As `preview`, of a text that isn't written down. Raises TemplateSyntaxError besides."""
        template = texts.parse(text)
        passages = template.read(template.samples() if values is None else values)
        if self._speech is None:
            raise PreviewUnavailable(f"speech is not available here: {self._silence}")
        if self._previews >= _PREVIEWS:
            raise PreviewsBusy("Too many previews are being made; try again in a moment")
        self._previews += 1
        try:
            return await self._speech.sound_file(passages)
        finally:
            self._previews -= 1

    async def submit(self, account_id: str, template_id: str, by: str) -> VoiceTemplate:
        """Ask for the review of a draft, or of what was rejected. Raises TemplateUnknown, NotADraft."""
        now = self._clock.now()

        def work(session: Session) -> VoiceTemplate:
            row = _found(session, account_id, template_id)
            if row.state not in (ReviewState.DRAFT, ReviewState.REJECTED):
                raise NotADraft(f"template {template_id} is {row.state} already")
            row.state, row.reason = ReviewState.SUBMITTED, None
            version = _digest(row.text)
            reviews.submit(
                session, account_id, ReviewKind.TEMPLATE, template_id, version=version, by=by, now=now
            )
            return template_of(row)

        return await self._database.write(work)

    async def delete(self, account_id: str, template_id: str) -> None:
        """Delete a template; what running calls say was made before. Raises TemplateUnknown."""

        def work(session: Session) -> None:
            session.delete(_found(session, account_id, template_id))
            reviews.withdraw(session, account_id, ReviewKind.TEMPLATE, template_id)
            count_change(session)

        await self._database.write(work)


def decide_template(session: Session, account_id: str, template_id: str, verdict: Verdict) -> None:
    """Bring a verdict of the review queue into force. Raises ReviewOutdated."""
    row = rows.template(session, account_id, template_id)
    if row is None or row.state != ReviewState.SUBMITTED or _digest(row.text) != verdict.version:
        raise ReviewOutdated(f"template {template_id} is no longer what was submitted")
    row.state = ReviewState.APPROVED if verdict.approved else ReviewState.REJECTED
    row.reason = verdict.reason
    if verdict.approved:
        row.usable_text = row.text


def template_of(row: Template) -> VoiceTemplate:
    """What a row says."""
    version = f"{_digest(row.name + chr(0) + row.text)[:16]}-{row.state}"
    return VoiceTemplate(
        row.account_id,
        row.id,
        row.name,
        row.text,
        _variables(row.text),
        ReviewState(row.state),
        row.reason,
        row.usable_text is not None,
        version,
    )


def _variables(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(variable) for variable in texts.parse(text).variables)
    except TemplateSyntaxError:
        # Checked before it was written, but perhaps by other rules.
        return ()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _found(session: Session, account_id: str, template_id: str) -> Template:
    row = rows.template(session, account_id, template_id)
    if row is None:
        raise TemplateUnknown(f"there is no template {template_id}")
    return row

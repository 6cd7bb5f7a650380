"""Voice templates: written, heard, submitted, edited, deleted."""

from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import select
from sqlmodel import Session, col

from controller.management.context import Context
from controller.management.models import (
    AccountQuery,
    Edit,
    Identifier,
    Input,
    OwnAccount,
    Page,
    Query,
    View,
)
from controller.management.operations import Download, Kind, Operations, Owner
from controller.management.problems import Conflict, NotFound, Unavailable, wrong_field
from controller.management.roles import Role, Scope
from controller.prompts.errors import (
    SpeechBusyError,
    SpeechError,
    TemplateSyntaxError,
    TemplateValueCountError,
    TemplateValueError,
    UnreadableTextError,
)
from controller.prompts.templates import MAX_TEMPLATE_BYTES, parse
from controller.sounds.errors import (
    NotADraft,
    PreviewsBusy,
    PreviewUnavailable,
    TemplateExists,
    TemplateUnknown,
)
from controller.sounds.templates import VoiceTemplate, VoiceTemplates, template_of
from controller.store.tables import ReviewState, Template

_SEPARATOR = ":"
_BUSY = 5
"""Seconds."""

operations = Operations(
    "template",
    {
        TemplateUnknown: lambda error: NotFound(),
        TemplateExists: lambda error: Conflict(str(error)),
        NotADraft: lambda error: Conflict(str(error)),
        TemplateSyntaxError: lambda error: wrong_field("text", str(error)),
        TemplateValueCountError: lambda error: wrong_field("value", f"does not fit: {error}", "query"),
        TemplateValueError: lambda error: wrong_field("value", f"does not fit: {error}", "query"),
        UnreadableTextError: lambda error: wrong_field("value", f"does not fit: {error}", "query"),
        PreviewUnavailable: lambda error: Unavailable(str(error)),
        PreviewsBusy: lambda error: Unavailable(str(error), retry_after=_BUSY),
        SpeechBusyError: lambda error: Unavailable(str(error), retry_after=_BUSY),
        SpeechError: lambda error: Unavailable(str(error)),
    },
)


def _find(session: Session, template_id: str) -> Owner | None:
    account_id, _, own_id = template_id.partition(_SEPARATOR)
    return None if session.get(Template, (account_id, own_id)) is None else Owner(account_id)


TEMPLATE = Kind(
    "template",
    "template_id",
    "The template: its account's id, a colon and what requests name as `templateId`.",
    _find,
    r"^[A-Za-z0-9_-]{1,32}:[A-Za-z0-9._@-]{1,32}$",
)


class TemplateView(View):
    """A voice template."""

    id: str
    """The account's id, a colon and `template_id`."""
    account_id: str
    """Whose it is; all of the account's apps share it."""
    template_id: str
    """What requests name as `templateId`."""
    name: str
    """What it is for."""
    text: str
    """What is said, with its variables."""
    variables: list[str]
    """The variables, in the order of their values."""
    state: ReviewState
    """How far this text has come."""
    reason: str | None
    """Why it was rejected."""
    usable: bool
    """Whether calls can use it: with this text, or with the one approved before."""


class TemplateQuery(AccountQuery):
    """Which templates."""

    state: ReviewState | None = None
    """Only those of which the text is in this state."""


class NewTemplate(Input):
    """A template to be."""

    account_id: OwnAccount = None
    template_id: Identifier | None = None
    """What requests name as `templateId`; without it it gets one."""
    name: str = Field("", max_length=100)
    """What it is for."""
    text: str = Field(min_length=1, max_length=900)
    """At most 900 bytes of UTF-8, with variables `${TXT_n}`, `${NUM_n}`, `${DATE}` and `${TIME}`."""


class TemplateEdit(Edit):
    """What changes; the rest stays."""

    name: str = Field("", max_length=100)
    """What it is for."""
    text: str = Field("", min_length=1, max_length=900)
    """A new text is a draft; calls go on with the one approved before."""


class PreviewQuery(Query):
    """With what it is heard."""

    # All of them together, encoded, must fit in an address.
    value: list[Annotated[str, Field(max_length=32)]] = Field([], max_length=16)
    """Values of the variables, in their order; without any, made-up ones."""


class TextQuery(Query):
    """A text that isn't a template yet."""

    # More than a template may have, so that it is told how much that is; encoded, it must fit in an address.
    text: str = Field("", max_length=2000)
    """What is to be said, with variables."""


class TextPreviewQuery(PreviewQuery, TextQuery):
    """A text that isn't a template yet, and with what it is heard."""


class VariableView(View):
    """A variable of a text."""

    name: str
    """As the text writes it."""
    sample: str
    """A value that fits."""


class TextCheckView(View):
    """What there is to say of a text."""

    bytes: int
    """How many it has in UTF-8."""
    most: int
    """How many it may have."""
    fault: str | None
    """The rule that it breaks."""
    variables: list[VariableView]
    """In the order of their values; none while there is a fault."""


def _view(template: VoiceTemplate) -> TemplateView:
    return TemplateView(
        id=f"{template.account_id}{_SEPARATOR}{template.id}",
        account_id=template.account_id,
        template_id=template.id,
        name=template.name,
        text=template.text,
        variables=list(template.variables),
        state=template.state,
        reason=template.reason,
        usable=template.usable,
    )


def _templates(ctx: Context) -> VoiceTemplates:
    return ctx.services.content.templates


def _own_id(ctx: Context) -> str:
    return ctx.path["template_id"].partition(_SEPARATOR)[2]


@operations.get("/templates", needs=Role.VIEWER)
async def list_templates(ctx: Context, query: TemplateQuery) -> Page[TemplateView]:
    """List voice templates."""
    found = select(Template)
    if query.state is not None:
        found = found.where(col(Template.state) == query.state)
    keys: list[Any] = [col(Template.account_id), col(Template.id)]
    return await ctx.page(
        found, keys, query, lambda row: _view(template_of(row)), account=col(Template.account_id)
    )


@operations.post(
    "/templates",
    needs=Role.DEVELOPER,
    example={
        "account_id": "acme",
        "template_id": "parcel",
        "name": "A parcel has come",
        "text": "您好，您的快递已到达${TXT_8}。",
    },
)
async def create_template(ctx: Context, body: NewTemplate) -> TemplateView:
    """Create a voice template.

    It is a draft. Its text is checked: variables, 900 bytes, a comma between DATE and TIME.
    """
    made = _view(
        await _templates(ctx).create(ctx.account, body.text, name=body.name, template_id=body.template_id)
    )
    await ctx.note("template", made.id, after=made)
    return made


@operations.get("/template-texts/check", needs=Role.VIEWER, scope=Scope.OWN)
async def check_template_text(ctx: Context, query: TextQuery) -> TextCheckView:
    """Check a text before it is made a template."""
    fault, variables = None, []
    try:
        variables = [VariableView(name=str(each), sample=each.sample) for each in parse(query.text).variables]
    except TemplateSyntaxError as error:
        fault = str(error)
    size = len(query.text.encode("utf-8", "replace"))
    return TextCheckView(bytes=size, most=MAX_TEMPLATE_BYTES, fault=fault, variables=variables)


@operations.get("/template-texts/preview", needs=Role.VIEWER, scope=Scope.OWN, problems=[Unavailable])
async def preview_template_text(ctx: Context, query: TextPreviewQuery) -> Download:
    """Hear a text before it is made a template, with values or made-up ones."""
    try:
        sound = await _templates(ctx).preview_text(query.text, query.value or None)
    except TemplateSyntaxError as error:
        raise wrong_field("text", str(error), "query") from None
    return Download(sound, "audio/wav", "preview.wav")


@operations.get("/templates/{template_id}", needs=Role.VIEWER, kinds=[TEMPLATE])
async def get_template(ctx: Context) -> TemplateView:
    """Read a voice template."""
    return _view(await _templates(ctx).get(ctx.account, _own_id(ctx)))


@operations.patch(
    "/templates/{template_id}", needs=Role.DEVELOPER, kinds=[TEMPLATE], example={"name": "Parcels"}
)
async def edit_template(ctx: Context, body: TemplateEdit) -> TemplateView:
    """Change a voice template.

    A new text is a draft and leaves the review queue; calls go on with the one approved before.
    """
    given = body.model_dump(include=body.model_fields_set)
    seen: list[TemplateView] = []

    def expect(present: VoiceTemplate) -> None:
        seen[:] = [_view(present)]
        ctx.expect(seen[0])

    after = _view(await _templates(ctx).edit(ctx.account, _own_id(ctx), **given, expect=expect))
    await ctx.note("template", after.id, before=seen[0], after=after)
    return after


@operations.get(
    "/templates/{template_id}/preview", needs=Role.VIEWER, kinds=[TEMPLATE], problems=[Unavailable]
)
async def preview_template(ctx: Context, query: PreviewQuery) -> Download:
    """Hear a voice template as a phone would, with values or made-up ones."""
    values = query.value or None
    sound = await _templates(ctx).preview(ctx.account, _own_id(ctx), values)
    return Download(sound, "audio/wav", f"{_own_id(ctx)}.wav")


@operations.post(
    "/templates/{template_id}/submit",
    needs=Role.DEVELOPER,
    kinds=[TEMPLATE],
    status=200,
    problems=[Conflict],
)
async def submit_template(ctx: Context) -> TemplateView:
    """Ask for the review of a draft, or of what was rejected."""
    before = _view(await _templates(ctx).get(ctx.account, _own_id(ctx)))
    after = _view(await _templates(ctx).submit(ctx.account, _own_id(ctx), by=ctx.user.login))
    await ctx.note("template", after.id, before=before, after=after)
    return after


@operations.delete("/templates/{template_id}", needs=Role.DEVELOPER, kinds=[TEMPLATE])
async def delete_template(ctx: Context) -> None:
    """Delete a voice template. What calls under way say was made before."""
    before = _view(await _templates(ctx).get(ctx.account, _own_id(ctx)))
    await _templates(ctx).delete(ctx.account, _own_id(ctx))
    await ctx.note("template", before.id, before=before)
    await ctx.services.directory.refresh()

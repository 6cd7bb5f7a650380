"""Voice templates of accounts on a real database: written, heard, submitted, edited, deleted."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from service.sounds.support import OTHER, Studio
from unit.calls.support import ACCOUNT

from controller.accounts.errors import TemplateMissing, TemplateNotApproved
from controller.prompts import templates as texts
from controller.prompts import wav
from controller.prompts.errors import TemplateSyntaxError, TemplateValueError
from controller.prompts.speech.cache import SpeechCache
from controller.prompts.speech.espeak import EspeakEngine
from controller.prompts.speech.synthesiser import Synthesiser
from controller.sounds.errors import (
    NotADraft,
    PreviewsBusy,
    PreviewUnavailable,
    TemplateExists,
    TemplateUnknown,
)
from controller.sounds.templates import VoiceTemplates
from controller.store.tables import ReviewState

TEXT = "您好，您的快递${NUM_6}已到${TXT_8}。"


@pytest.fixture
async def speech(tmp_path: Path) -> AsyncIterator[Synthesiser]:
    """The engine that needs no model; what it says matters little here."""
    assert shutil.which("espeak-ng")
    made = Synthesiser(EspeakEngine(), SpeechCache(tmp_path / "speech"))
    yield made
    await made.close()


async def approve(room: Studio, template_id: str) -> None:
    await room.templates.submit(ACCOUNT, template_id, by="dora")
    await room.queue.approve((await room.queue.page())[0].id, by="oscar")


@pytest.mark.requirement("C6")
async def test_C6_given_a_template_when_created_submitted_and_approved_then_every_app_may_use_it(
    room: Studio,
) -> None:
    made = await room.templates.create(ACCOUNT, TEXT, name="A parcel", template_id="parcel")
    assert (made.state, made.variables) == (ReviewState.DRAFT, ("${NUM_6}", "${TXT_8}"))
    with pytest.raises(TemplateNotApproved):
        (await room.directory()).template(ACCOUNT, "parcel")

    await approve(room, "parcel")
    assert (await room.directory()).template(ACCOUNT, "parcel") == texts.parse(TEXT)


@pytest.mark.requirement("C6")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("${DATE}${TIME}到", "comma between them"),
        ("${DATE} ${TIME}到", "comma between them"),
        ("好" * 301, "903 bytes, it may have 900"),
        ("${NAME}您好", "unknown"),
        ("${TXT_33}您好", "from 1 to 32"),
        ("，。", "nothing to say"),
    ],
)
async def test_C6_given_a_text_that_breaks_a_rule_when_written_then_it_is_refused_and_nothing_stays(
    room: Studio, text: str, words: str
) -> None:
    with pytest.raises(TemplateSyntaxError, match=words):
        await room.templates.create(ACCOUNT, text, template_id="t")
    made = await room.templates.create(ACCOUNT, TEXT, template_id="t")
    with pytest.raises(TemplateSyntaxError, match=words):
        await room.templates.edit(ACCOUNT, "t", text=text)
    assert await room.templates.get(ACCOUNT, "t") == made


@pytest.mark.requirement("C6")
async def test_C6_given_an_approved_template_when_its_text_is_edited_then_calls_go_on_with_the_old_text(
    room: Studio,
) -> None:
    await room.templates.create(ACCOUNT, TEXT, template_id="t")
    await approve(room, "t")
    edited = await room.templates.edit(ACCOUNT, "t", text="换了。", name="new name")
    assert (edited.state, edited.usable, edited.name) == (ReviewState.DRAFT, True, "new name")
    assert (await room.directory()).template(ACCOUNT, "t") == texts.parse(TEXT)

    await approve(room, "t")
    assert (await room.directory()).template(ACCOUNT, "t") == texts.parse("换了。")


async def test_given_a_template_in_review_when_its_text_is_edited_then_the_submission_is_withdrawn(
    room: Studio,
) -> None:
    await room.templates.create(ACCOUNT, TEXT, template_id="t")
    await room.templates.submit(ACCOUNT, "t", by="dora")
    with pytest.raises(NotADraft):
        await room.templates.submit(ACCOUNT, "t", by="dora")
    await room.templates.edit(ACCOUNT, "t", name="only the name")
    assert len(await room.queue.page()) == 1
    await room.templates.edit(ACCOUNT, "t", text="换了。")
    assert await room.queue.page() == []


async def test_given_templates_when_created_listed_and_deleted_then_ids_are_unique_and_others_see_none(
    room: Studio,
) -> None:
    named = await room.templates.create(ACCOUNT, TEXT)
    assert named.id.startswith("tpl-")
    with pytest.raises(TemplateExists):
        await room.templates.create(ACCOUNT, TEXT, template_id=named.id)
    assert [item.id for item in await room.templates.page(ACCOUNT)] == [named.id]
    assert await room.templates.page(OTHER) == []
    with pytest.raises(TemplateUnknown):
        await room.templates.edit(OTHER, named.id, text="不行。")
    with pytest.raises(TemplateUnknown):
        await room.templates.delete(OTHER, named.id)

    await room.templates.delete(ACCOUNT, named.id)
    with pytest.raises(TemplateMissing):
        (await room.directory()).template(ACCOUNT, named.id)


@pytest.mark.requirement("C6", "D3")
async def test_C6_given_a_template_when_previewed_then_it_is_a_sound_file_with_sample_or_given_values(
    room: Studio, speech: Synthesiser
) -> None:
    templates = VoiceTemplates(room.database, speech, room.clock)
    await templates.create(ACCOUNT, "Your code is ${NUM_6}, on ${DATE}, ${TIME}.", template_id="t")

    sample = await templates.preview(ACCOUNT, "t")
    given = await templates.preview(ACCOUNT, "t", ["308615", "2026/11/24", "18:30"])
    assert wav.check(sample).seconds > 1
    assert given != sample
    assert await templates.preview(ACCOUNT, "t") == sample
    with pytest.raises(TemplateValueError, match=r"Value 1 for \$\{NUM_6\} must be 1 to 6 digits"):
        await templates.preview(ACCOUNT, "t", ["none", "2026/11/24", "18:30"])


async def test_given_as_many_previews_as_may_be_when_another_is_asked_for_then_it_is_refused(
    room: Studio, speech: Synthesiser
) -> None:
    templates = VoiceTemplates(room.database, speech, room.clock)
    await templates.create(ACCOUNT, "Hello ${NUM_6}.", template_id="t")
    asked = [asyncio.create_task(templates.preview(ACCOUNT, "t", [str(number)])) for number in range(5)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(answer, PreviewsBusy) for answer in answers].count(True) == 3


@pytest.mark.requirement("C6")
async def test_C6_given_no_speech_engine_when_a_preview_is_asked_for_then_the_reason_is_told(
    room: Studio,
) -> None:
    await room.templates.create(ACCOUNT, TEXT, template_id="t")
    with pytest.raises(PreviewUnavailable, match=r"speech\.engine is off"):
        await room.templates.preview(ACCOUNT, "t")


@pytest.mark.requirement("C6")
@pytest.mark.parametrize("text", ["${TXT_1}${TXT_32}", "${NUM_1}和${NUM_32}", "${DATE}，${TIME}", "没有。"])
def test_C6_given_any_template_when_sample_values_are_made_then_they_fit(text: str) -> None:
    template = texts.parse(text)
    template.check(template.samples())

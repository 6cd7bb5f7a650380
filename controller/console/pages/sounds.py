"""Sound files: uploaded, converted, heard, submitted, deleted."""

import re
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, for_whom, list_page
from controller.console.pages.content_terms import FILTERS, reviews_of
from controller.console.pages.declared import Pages
from controller.console.pages.waveforms import Picture
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.operations import Stream
from controller.management.problems import Problem
from controller.management.resources.sounds import (
    KEPT,
    SoundView,
    convert_upload,
    delete_sound,
    get_sound,
    get_sound_waveform,
    list_sounds,
    submit_sound,
    upload_sound,
)

pages = Pages()

UPLOAD: Final = Form(
    (
        ACCOUNT,
        Field(
            "name",
            N_("Name in requests"),
            help=N_("Letters, digits and . _ @ -, ends in .wav. Nothing: as the file is called."),
            placeholder="welcome.wav",
        ),
        Field("convert", N_("Convert it if it has another form"), "check"),
    )
)
CONVERSION: Final = Form(
    (ACCOUNT, Field("name", N_("Name in requests"), empty=""), Field("upload", "", "hidden", empty=""))
)
_FILE: Final = "file"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9._@-]+")


@pages.get("/sounds")
async def sounds(visit: Visit) -> web.StreamResponse:
    """The list."""
    may_change = visit.allows(upload_sound)
    return await list_page(visit, "sounds.html", list_sounds, FILTERS, may_change=may_change)


@pages.get("/sounds/new")
async def new_sound(visit: Visit) -> web.StreamResponse:
    """The form, perhaps for other sound under a name that is there."""
    visit.check(upload_sound)
    given = visit.request.query
    form = visit.blank(
        await for_whom(visit, UPLOAD),
        account_id=given.get("account_id", ""),
        name=given.get("name", ""),
    )
    return _form(visit, form)


@pages.post("/sounds/new", takes_file=True)
async def upload(visit: Visit) -> web.StreamResponse:
    """Take a file. One that isn't in the required form waits, so that a click converts it."""
    sent = await visit.sent(await for_whom(visit, UPLOAD))
    arriving = visit.arriving
    assert arriving is not None
    if not arriving.file_name:
        sent.status = 422
        sent.faults[_FILE] = visit.text("Choose a file.")
        return _form(visit, sent)
    body = sent.form.body(sent.typed)
    name = body["name"] or _name_of(arriving.file_name)
    query = {"name": name, "convert": body["convert"], "keep": not body["convert"]}
    if body.get("account_id"):
        query["account_id"] = body["account_id"]
    try:
        made = await visit.run(upload_sound, body=Stream(arriving.pieces, None), query=query)
    except Problem as problem:
        if problem.status in (401, 403, 500):
            raise
        return await _refused(visit, sent, problem, name)
    return visit.go(_place(made), "It is a draft: hear it, then submit it for review.")


@pages.post("/sounds/convert")
async def convert(visit: Visit) -> web.StreamResponse:
    """Convert a file that waits."""
    sent = await visit.sent(await for_whom(visit, CONVERSION))
    try:
        made = await visit.run(convert_upload, body=sent.form.body(sent.typed), key=sent.once)
    except Problem as problem:
        if problem.status in (401, 403, 500):
            raise
        again = Sent(await for_whom(visit, UPLOAD), visit, sent.typed)
        return await _refused(visit, again, problem, sent.typed.get("name", ""))
    return visit.go(_place(made), "It is converted, and a draft: hear it, then submit it for review.")


@pages.get("/sounds/{sound_id}")
async def sound(visit: Visit) -> web.StreamResponse:
    """One sound file."""
    return await _sound(visit)


@pages.post("/sounds/{sound_id}/submit")
async def submit(visit: Visit) -> web.StreamResponse:
    """Ask for its review."""
    return await _do(
        visit,
        submit_sound,
        N_("It waits for its review; contacts of the account are told what becomes of it."),
    )


@pages.post("/sounds/{sound_id}/delete")
async def delete(visit: Visit) -> web.StreamResponse:
    """Delete it, unless calls play it."""
    try:
        await visit.run(delete_sound)
    except Problem as problem:
        if problem.status != 409:
            raise
        return await _sound(visit, problem)
    return visit.go("/sounds", "%(name)s is deleted.", name=visit.path["sound_id"].partition(":")[2])


async def _do(visit: Visit, handler: Any, notice: str) -> web.StreamResponse:
    try:
        made = await visit.run(handler)
    except Problem as problem:
        if problem.status != 409:
            raise
        return await _sound(visit, problem)
    return visit.go(_place(made), notice)


async def _sound(visit: Visit, problem: Problem | None = None) -> web.StreamResponse:
    found = await visit.run(get_sound)
    waveform = await visit.run(get_sound_waveform, query={"parts": Picture.PARTS})
    return visit.render(
        "sound.html",
        sound=found,
        picture=Picture(tuple(waveform.peaks), found.seconds),
        history=await reviews_of(visit, found.account_id, "sound", found.name),
        problem=problem,
        may_change=visit.allows(submit_sound),
        status=200 if problem is None else problem.status,
    )


async def _refused(visit: Visit, sent: Sent, problem: Problem, name: str) -> web.StreamResponse:
    sent.refused(problem)
    ticket = next((use.id for use in problem.uses if use.kind == KEPT), "")
    about_file = not sent.faults
    if about_file:
        # What is wrong is the file: that is said beside it, not above the form.
        said = [visit.renderer.fault(visit.look.language, part) for part in problem.detail.split("; ")]
        sent.faults[_FILE], sent.problem = "; ".join(said), ""
    sent.typed = {**sent.typed, "name": name}
    conversion = visit.blank(
        await for_whom(visit, CONVERSION),
        upload=ticket,
        name=name,
        account_id=sent.typed.get("account_id", ""),
    )
    return _form(visit, sent, conversion if ticket else None)


def _form(visit: Visit, form: Sent, conversion: Sent | None = None) -> web.StreamResponse:
    return visit.render(
        "sound_new.html",
        form=form,
        conversion=conversion,
        most=visit.services.settings.sounds.convert_megabytes,
        status=form.status,
    )


def _name_of(file_name: str) -> str:
    """A name for requests, made of a file's."""
    stem = _NOT_IN_NAMES.sub("-", file_name.rpartition(".")[0] or file_name).strip("-.")
    return f"{stem}.wav" if stem else ""


def _place(made: SoundView) -> str:
    return f"/sounds/{quote(made.id, safe=':@')}"

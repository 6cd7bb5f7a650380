"""Voice templates: written with their variables in sight, heard with sample values, submitted, deleted."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, for_whom, list_page
from controller.console.pages.content_terms import FILTERS, reviews_of
from controller.console.pages.declared import Pages
from controller.console.pages.script_texts import parts_of
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.problems import Problem
from controller.management.resources.templates import (
    TemplateView,
    TextCheckView,
    check_template_text,
    create_template,
    delete_template,
    edit_template,
    get_template,
    list_templates,
    preview_template_text,
    submit_template,
)

pages = Pages()

NEW: Final = Form(
    (
        ACCOUNT,
        Field(
            "template_id",
            "templateId",
            help=N_("What requests name it by; it can't be changed. Nothing: it gets one."),
        ),
        Field("name", N_("What it is for"), empty=""),
        Field("text", N_("What is said"), "long", empty=""),
    )
)
EDIT: Final = NEW.only("name", "text")


@pages.get("/templates")
async def templates(visit: Visit) -> web.StreamResponse:
    """The list."""
    return await list_page(
        visit,
        "templates.html",
        list_templates,
        FILTERS,
        may_change=visit.allows(create_template),
        parts_of=parts_of,
    )


@pages.get("/templates/new")
async def new_template(visit: Visit) -> web.StreamResponse:
    """The editor, empty."""
    visit.check(create_template)
    return await _editor(visit, visit.blank(await for_whom(visit, NEW)))


@pages.post("/templates/new")
async def create(visit: Visit) -> web.StreamResponse:
    """Write a new one down, as a draft."""
    sent = await _sent(visit, await for_whom(visit, NEW))
    made = await sent.to(create_template)
    if made is None:
        return await _editor(visit, sent)
    return visit.go(_place(made), "It is a draft: hear it, then submit it for review.")


@pages.post("/templates/check")
async def check(visit: Visit) -> web.StreamResponse:
    """What there is to say of the text as it is typed; a part of the editor."""
    data = await visit.request.post()
    text = _one_line_ends(str(data.get("text", "")))
    found = await _checked(visit, text)
    return visit.render("part_template_check.html", check=found, samples=_samples(found, data))


@pages.post("/templates/preview")
async def preview(visit: Visit) -> web.StreamResponse:
    """The text in the editor, as a phone would hear it."""
    data = await visit.request.post()
    text = _one_line_ends(str(data.get("text", "")))
    values = [value for _name, value in _samples(await _checked(visit, text), data)]
    try:
        heard = await visit.run(preview_template_text, query={"text": text[:2000], "value": values})
    except Problem as problem:
        if not visit.is_partial:
            raise
        return visit.render("part_problem.html", problem=problem, status=problem.status)
    return web.Response(body=heard.content, content_type=heard.media_type)


@pages.get("/templates/{template_id}")
async def template(visit: Visit) -> web.StreamResponse:
    """The editor with a template; what who may not change it sees is its text."""
    found = await visit.run(get_template)
    return await _editor(visit, visit.blank(EDIT, found), found)


@pages.post("/templates/{template_id}")
async def edit(visit: Visit) -> web.StreamResponse:
    """Change name or text."""
    found = await visit.run(get_template)
    sent = await _sent(visit, EDIT)
    after = await sent.to(edit_template, since=found)
    if after is None:
        return await _editor(visit, sent, found)
    notice = (
        N_("It is saved. The new text is a draft; calls go on with the one approved before.")
        if after.state == "draft" and after.usable
        else N_("It is saved.")
    )
    return visit.go(_place(after), notice)


@pages.post("/templates/{template_id}/submit")
async def submit(visit: Visit) -> web.StreamResponse:
    """Ask for its review."""
    try:
        made = await visit.run(submit_template)
    except Problem as problem:
        if problem.status != 409:
            raise
        found = await visit.run(get_template)
        shown = visit.blank(EDIT, found)
        shown.refused(problem)
        return await _editor(visit, shown, found)
    return visit.go(
        _place(made), "It waits for its review; contacts of the account are told what becomes of it."
    )


@pages.post("/templates/{template_id}/delete")
async def delete(visit: Visit) -> web.StreamResponse:
    """Delete it."""
    await visit.run(delete_template)
    return visit.go("/templates", "%(name)s is deleted.", name=visit.path["template_id"].partition(":")[2])


async def _sent(visit: Visit, form: Form) -> Sent:
    """As typed; browsers send line ends of their own."""
    sent = await visit.sent(form)
    sent.typed = {**sent.typed, "text": _one_line_ends(sent.typed.get("text", ""))}
    return sent


def _one_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


async def _checked(visit: Visit, text: str) -> TextCheckView:
    return await visit.run(check_template_text, query={"text": text[:2000]})


def _samples(check: TextCheckView, data: Any) -> list[tuple[str, str]]:
    """Each variable with the value that was typed for it before, else one that fits."""
    typed: dict[tuple[str, int], str] = {}
    seen: Counter[str] = Counter()
    for name, value in zip(data.getall("variable", ()), data.getall("value", ()), strict=False):
        typed[str(name), seen[str(name)]] = str(value)
        seen[str(name)] += 1
    seen.clear()
    found: list[tuple[str, str]] = []
    for variable in check.variables:
        found.append((variable.name, typed.get((variable.name, seen[variable.name])) or variable.sample))
        seen[variable.name] += 1
    return found


async def _editor(visit: Visit, form: Sent, found: TemplateView | None = None) -> web.StreamResponse:
    text = form.typed.get("text", "")
    check = await _checked(visit, text)
    samples: Sequence[tuple[str, str]] = [(one.name, one.sample) for one in check.variables]
    history: Sequence[Any] = ()
    if found is not None:
        history = await reviews_of(visit, found.account_id, "template", found.template_id)
    return visit.render(
        "template.html",
        form=form,
        found=found,
        check=check,
        samples=samples,
        history=history,
        may_change=visit.allows(edit_template),
        parts_of=parts_of,
        status=form.status,
    )


def _place(made: TemplateView) -> str:
    return f"/templates/{quote(made.id, safe=':@')}"

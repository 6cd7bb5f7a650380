"""Enterprises: for whom an account makes calls, and their qualification with its documents."""

from typing import Final
from urllib.parse import quote

from aiohttp import web

from controller.accounts.qualification import LARGEST_DOCUMENT
from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, for_whom, listed
from controller.console.pages.declared import Pages
from controller.console.pages.terms import DOCUMENTS, ENTERPRISE_STATES, any_of
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.operations import Upload
from controller.management.problems import Problem, wrong_field
from controller.management.resources.enterprises import (
    EnterpriseView,
    approve_enterprise,
    create_enterprise,
    edit_enterprise,
    get_enterprise,
    get_enterprise_document,
    list_enterprises,
    put_enterprise_document,
    reject_enterprise,
    submit_enterprise,
)
from controller.store.enterprise_tables import EnterpriseState

pages = Pages()

FILTERS: Final = Form((ACCOUNT, Field("state", N_("State"), "choice", choices=any_of(ENTERPRISE_STATES))))
EDIT: Final = Form(
    (
        Field("full_name", N_("Full name"), required=True, empty="", help=N_("As on the licence.")),
        Field("code", N_("Number of the licence or organisation code"), empty=""),
        Field("phone", N_("Phone of the company"), empty=""),
        Field("legal_representative", N_("Legal representative"), empty=""),
        Field("scenario", N_("What calls are made for"), "long", heading=N_("Calls"), empty=""),
        Field("script", N_("What calls say"), "long", empty=""),
        Field("calls_per_day", N_("Expected calls in a day"), "number"),
        Field("peak_calls", N_("Expected calls at a time"), "number"),
        Field("handler_name", N_("Name"), heading=N_("The person who handles it"), empty=""),
        Field("handler_phone", N_("Phone"), empty=""),
        Field("handler_address", N_("Address"), empty=""),
    )
)
NEW: Final = Form((ACCOUNT, *EDIT.fields))
_DOCUMENTS: Final = tuple(Field(f"documents.{kind}", word) for kind, word in DOCUMENTS.items())
WHOLE: Final = Form((*EDIT.fields, *_DOCUMENTS))
"""All that a submission needs: what is missing is said beside it."""
REJECTION: Final = Form(
    (
        Field(
            "reason",
            N_("What must be changed"),
            "long",
            required=True,
            empty="",
            help=N_("Those who submitted it read this."),
        ),
    )
)


@pages.get("/enterprises")
async def enterprises(visit: Visit) -> web.StreamResponse:
    """All that there are."""
    return visit.render(
        "enterprises.html",
        title=visit.text("Enterprises"),
        listing=await listed(visit, list_enterprises, FILTERS),
        states=ENTERPRISE_STATES,
        may_create=visit.allows(create_enterprise),
    )


@pages.get("/enterprises/new")
async def new(visit: Visit) -> web.StreamResponse:
    """The form for one more."""
    visit.check(create_enterprise)
    return _new(visit, visit.blank(await for_whom(visit, NEW)))


@pages.post("/enterprises/new")
async def create(visit: Visit) -> web.StreamResponse:
    """One more, as a draft."""
    sent = await visit.sent(await for_whom(visit, NEW))
    made = await sent.to(create_enterprise)
    if made is None:
        return _new(visit, sent)
    return visit.go(
        _place(made.id), "The enterprise is there, as a draft. Upload its documents, then submit it."
    )


@pages.get("/enterprises/{enterprise_id}")
async def enterprise(visit: Visit) -> web.StreamResponse:
    """One of them."""
    return await _show(visit)


@pages.get("/enterprises/{enterprise_id}/edit")
async def edit(visit: Visit) -> web.StreamResponse:
    """Its record as a form."""
    visit.check(edit_enterprise)
    present = await visit.run(get_enterprise)
    return _edit(visit, visit.blank(EDIT, present), present)


@pages.post("/enterprises/{enterprise_id}/edit")
async def change(visit: Visit) -> web.StreamResponse:
    """Another record; it must be submitted again."""
    present = await visit.run(get_enterprise)
    sent = await visit.sent(EDIT)
    await sent.to(edit_enterprise, since=present)
    if sent.is_refused:
        return _edit(visit, sent, present)
    return visit.go(
        _place(present.id), "The record is changed. It is a draft: submit it when it is complete."
    )


@pages.post("/enterprises/{enterprise_id}/documents/{kind}", takes_file=True)
async def upload(visit: Visit) -> web.StreamResponse:
    """A document, in place of the one before."""
    sent = await visit.sent(WHOLE)
    kind = visit.path["kind"]
    try:
        arriving = visit.arriving
        assert arriving is not None
        if not arriving.file_name:
            raise wrong_field(f"documents.{kind}", "is missing")
        document = Upload(await arriving.beginning(LARGEST_DOCUMENT), arriving.media_type)
        await visit.run(put_enterprise_document, body=document, query={"kind": kind})
    except Problem as problem:
        if problem.status not in (409, 413, 415, 422):
            raise
        sent.refused(problem, {"content": f"documents.{kind}"})
        if problem.status in (413, 415):
            sent.faults, sent.problem = {f"documents.{kind}": sent.problem}, ""
        return await _show(visit, sent)
    return visit.go(_place(visit.path["enterprise_id"]) + "#documents", "The document is uploaded.")


@pages.get("/enterprises/{enterprise_id}/documents/{kind}/download")
async def download(visit: Visit) -> web.StreamResponse:
    """A document, as it was uploaded; that it was read stands in the audit trail."""
    found = await visit.run(get_enterprise_document, query={"kind": visit.path["kind"]})
    disposition = f'attachment; filename="{found.file_name}"'
    return web.Response(
        body=found.content, content_type=found.media_type, headers={"Content-Disposition": disposition}
    )


@pages.post("/enterprises/{enterprise_id}/submit")
async def submit(visit: Visit) -> web.StreamResponse:
    """The operator is to look at it."""
    sent = await visit.sent(WHOLE)
    try:
        await visit.run(submit_enterprise)
    except Problem as problem:
        if problem.status not in (409, 422):
            raise
        sent.refused(problem)
        if sent.faults:
            sent.problem = visit.text("It can't be submitted yet: what is missing is marked below.")
        return await _show(visit, sent)
    return visit.go(_place(visit.path["enterprise_id"]), "It is submitted. The operator looks at it now.")


@pages.post("/enterprises/{enterprise_id}/approve")
async def approve(visit: Visit) -> web.StreamResponse:
    """The operator agrees with what was read."""
    sent = await visit.sent(Form(()))
    await sent.to(approve_enterprise)
    if sent.is_refused:
        return await _show(visit, sent)
    return visit.go(_place(visit.path["enterprise_id"]), "The qualification is approved.")


@pages.post("/enterprises/{enterprise_id}/reject")
async def reject(visit: Visit) -> web.StreamResponse:
    """The operator does not agree, and says why."""
    sent = await visit.sent(REJECTION)
    await sent.to(reject_enterprise)
    if sent.is_refused:
        return await _show(visit, rejection=sent)
    return visit.go(_place(visit.path["enterprise_id"]), "The qualification is rejected.")


async def _show(visit: Visit, done: Sent | None = None, rejection: Sent | None = None) -> web.Response:
    present = await visit.run(get_enterprise)
    is_open = present.state != EnterpriseState.APPROVED
    is_submitted = present.state == EnterpriseState.SUBMITTED
    return visit.render(
        "enterprise.html",
        enterprise=present,
        state=ENTERPRISE_STATES[present.state],
        shown=visit.blank(EDIT, present),
        document_kinds=DOCUMENTS,
        done=done or visit.blank(WHOLE),
        rejection=rejection or visit.blank(REJECTION),
        may_edit=is_open and visit.allows(edit_enterprise),
        may_submit=is_open and not is_submitted and visit.allows(submit_enterprise),
        may_download=visit.allows(get_enterprise_document),
        may_decide=is_submitted and visit.allows(approve_enterprise),
        status=(done or rejection or visit.blank(Form(()))).status,
    )


def _new(visit: Visit, form: Sent) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("New enterprise"),
        before=[visit.text("What you don't know yet can come later; it must be complete to be submitted.")],
        form=form,
        action="/enterprises/new",
        button=visit.text("Create"),
        back="/enterprises",
        back_title=visit.text("Enterprises"),
        status=form.status,
    )


def _edit(visit: Visit, form: Sent, present: EnterpriseView) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("Settings of %(name)s", name=present.full_name),
        form=form,
        action=_place(present.id) + "/edit",
        button=visit.text("Save"),
        back=_place(present.id),
        back_title=present.full_name,
        version=visit.version_of(present),
        status=form.status,
    )


def _place(enterprise_id: str) -> str:
    return f"/enterprises/{quote(enterprise_id)}"

"""Enterprises: for whom an account makes calls, and their qualification with its documents."""

from typing import Final

from aiohttp import web

from controller.accounts.qualification import LARGEST_DOCUMENT
from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, list_page
from controller.console.pages.declared import Pages
from controller.console.pages.kinds import Kind
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
ENTERPRISES: Final = Kind[EnterpriseView](
    "/enterprises",
    N_("Enterprises"),
    lambda enterprise: enterprise.id,
    lambda enterprise: enterprise.full_name,
    "enterprise_id",
)

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
    return await list_page(
        visit,
        "enterprises.html",
        list_enterprises,
        FILTERS,
        title=visit.text("Enterprises"),
        states=ENTERPRISE_STATES,
        may_create=visit.allows(create_enterprise),
    )


ENTERPRISES.made_by(
    pages,
    create_enterprise,
    NEW,
    N_("The enterprise is there, as a draft. Upload its documents, then submit it."),
    title=N_("New enterprise"),
    before=[N_("What you don't know yet can come later; it must be complete to be submitted.")],
)


@pages.get("/enterprises/{enterprise_id}")
async def enterprise(visit: Visit) -> web.StreamResponse:
    """One of them."""
    return await _show(visit)


ENTERPRISES.changed_by(
    pages,
    get_enterprise,
    edit_enterprise,
    EDIT,
    N_("The record is changed. It is a draft: submit it when it is complete."),
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
    return visit.go(ENTERPRISES.place_in(visit) + "#documents", "The document is uploaded.")


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
    return visit.go(ENTERPRISES.place_in(visit), "It is submitted. The operator looks at it now.")


@pages.post("/enterprises/{enterprise_id}/approve")
async def approve(visit: Visit) -> web.StreamResponse:
    """The operator agrees with what was read."""
    sent = await visit.sent(Form(()))
    await sent.to(approve_enterprise)
    if sent.is_refused:
        return await _show(visit, sent)
    return visit.go(ENTERPRISES.place_in(visit), "The qualification is approved.")


@pages.post("/enterprises/{enterprise_id}/reject")
async def reject(visit: Visit) -> web.StreamResponse:
    """The operator does not agree, and says why."""
    sent = await visit.sent(REJECTION)
    await sent.to(reject_enterprise)
    if sent.is_refused:
        return await _show(visit, rejection=sent)
    return visit.go(ENTERPRISES.place_in(visit), "The qualification is rejected.")


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

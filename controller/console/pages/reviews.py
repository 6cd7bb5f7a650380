"""The review queue: what waits for a decision, heard and read in place, and what was decided."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, listed
from controller.console.pages.content_terms import QUEUE_STATES, REVIEW_KINDS, reviews_of
from controller.console.pages.declared import Pages
from controller.console.pages.script_texts import parts_of
from controller.console.pages.waveforms import Picture
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.problems import NotFound, Problem
from controller.management.resources.enterprises import EnterpriseView, get_enterprise
from controller.management.resources.reviews import (
    ReviewView,
    approve_review,
    get_review,
    list_reviews,
    reject_review,
)
from controller.management.resources.sounds import SoundView, get_sound, get_sound_waveform
from controller.management.resources.templates import TemplateView, get_template

pages = Pages()

FILTERS: Final = Form(
    (
        ACCOUNT,
        Field("state", N_("State"), "choice", choices=(("", N_("any")), *QUEUE_STATES)),
        Field("kind", N_("Kind"), "choice", choices=(("", N_("any")), *REVIEW_KINDS)),
    )
)
REJECTION: Final = Form((Field("reason", N_("Why it is rejected"), "long", required=True, empty=""),))


@dataclass(frozen=True)
class Reviewed:
    """A submission with the thing as it is now; None: it is gone, or is something else by now."""

    review: ReviewView
    sound: SoundView | None = None
    template: TemplateView | None = None
    enterprise: EnterpriseView | None = None


@pages.get("/reviews")
async def reviews(visit: Visit) -> web.StreamResponse:
    """The queue, or what was decided."""
    wanted = visit.request.query.get("state", "pending")
    order = {} if wanted == "pending" else {"newest_first": "true"}
    if "state" not in visit.request.query:
        # One comes here to decide; all that was decided is a filter away.
        order["state"] = "pending"
    listing = await listed(visit, list_reviews, FILTERS, **order)
    listing.filters.typed = {**listing.filters.typed, "state": wanted}
    items = [await _with_thing(visit, review) for review in listing.items]
    return visit.render(
        "reviews.html",
        listing=listing,
        items=items,
        may_decide=visit.allows(approve_review),
        parts_of=parts_of,
    )


@pages.get("/reviews/{review_id}")
async def review(visit: Visit) -> web.StreamResponse:
    """One submission, and deciding."""
    return await _review(visit, visit.blank(REJECTION))


@pages.post("/reviews/{review_id}/approve")
async def approve(visit: Visit) -> web.StreamResponse:
    """Let it be used, and go on with the next."""
    try:
        made = await visit.run(approve_review)
    except Problem as problem:
        if problem.status != 409:
            raise
        shown = visit.blank(REJECTION)
        shown.refused(problem)
        return await _review(visit, shown)
    return await _next(visit, made, N_("%(name)s is approved; the contacts of the account are told."))


@pages.post("/reviews/{review_id}/reject")
async def reject(visit: Visit) -> web.StreamResponse:
    """Send it back, and go on with the next."""
    sent = await visit.sent(REJECTION)
    made = await sent.to(reject_review)
    if made is None:
        return await _review(visit, sent)
    return await _next(visit, made, N_("%(name)s is rejected; the contacts of the account are told why."))


async def _next(visit: Visit, decided: ReviewView, notice: str) -> web.StreamResponse:
    waiting = await visit.run(list_reviews, query={"state": "pending", "limit": 1})
    place = f"/reviews/{quote(waiting.items[0].id)}" if waiting.items else "/reviews"
    return visit.go(place, notice, name=decided.subject)


async def _review(visit: Visit, form: Sent) -> web.StreamResponse:
    found = await _with_thing(visit, await visit.run(get_review))
    picture = None
    if found.sound is not None:
        path = {"sound_id": found.sound.id}
        waveform = await visit.run(get_sound_waveform, path, query={"parts": Picture.PARTS})
        picture = Picture(tuple(waveform.peaks), found.sound.seconds)
    reviewed = found.review
    history = await reviews_of(visit, reviewed.account_id, reviewed.kind, reviewed.subject)
    return visit.render(
        "review.html",
        found=found,
        picture=picture,
        form=form,
        history=[one for one in history if one.id != reviewed.id],
        may_decide=visit.allows(approve_review),
        parts_of=parts_of,
        status=form.status,
    )


async def _with_thing(visit: Visit, found: ReviewView) -> Reviewed:
    name = f"{found.account_id}:{found.subject}"
    try:
        if found.kind == "sound":
            return Reviewed(found, sound=await visit.run(get_sound, {"sound_id": name}))
        if found.kind == "template":
            return Reviewed(found, template=await visit.run(get_template, {"template_id": name}))
        if found.kind == "enterprise":
            path = {"enterprise_id": found.subject}
            return Reviewed(found, enterprise=await visit.run(get_enterprise, path))
    except NotFound:
        pass
    return Reviewed(found)

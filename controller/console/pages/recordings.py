"""Recordings of calls, and listening to them."""

from typing import Final

from aiohttp import web

from controller.console.forms import Form
from controller.console.listing import ACCOUNT, list_page
from controller.console.pages.call_terms import RECORDINGS
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.management.problems import Conflict, NotFound
from controller.management.resources.recordings import link_recording, list_recordings
from controller.management.roles import Role
from controller.store.recordings import KEPT

pages = Pages()

FILTERS: Final = Form((ACCOUNT,))


@pages.get("/recordings")
async def recordings(visit: Visit) -> web.StreamResponse:
    """Those that there are, the newest first."""
    return await list_page(
        visit,
        "recordings.html",
        list_recordings,
        FILTERS,
        states=RECORDINGS,
        kept=KEPT,
        may_listen=visit.allows(link_recording),
        may_call=visit.may(Role.DEVELOPER),
    )


@pages.post("/recordings/{call_id}/listen")
async def listen(visit: Visit) -> web.StreamResponse:
    """One, with a link that is good for a while; the audit trail says who had it."""
    link, problem = None, None
    try:
        link = await visit.run(link_recording)
    except (Conflict, NotFound) as found:
        problem = found
    return visit.render(
        "recording.html",
        status=200 if problem is None else problem.status,
        call_id=visit.path["call_id"],
        link=link,
        problem=problem,
        minutes=visit.services.settings.recordings.link_minutes,
    )

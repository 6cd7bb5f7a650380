"""Quality inspection: recordings that were drawn, and hearing them."""

from typing import Final

from aiohttp import web

from controller.console.forms import Form
from controller.console.listing import ACCOUNT, listed
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.management.resources.inspection import inspect_recording, list_inspection

pages = Pages()

FILTERS: Final = Form((ACCOUNT,))


@pages.get("/inspection")
async def inspection(visit: Visit) -> web.StreamResponse:
    """The sample."""
    return await _page(visit)


@pages.post("/inspection/{inspected_id}")
async def listen(visit: Visit) -> web.StreamResponse:
    """Hear one; the audit trail says who did."""
    link = await visit.run(inspect_recording)
    return await _page(visit, visit.path["inspected_id"], link.location)


async def _page(visit: Visit, opened: str = "", location: str = "") -> web.StreamResponse:
    listing = await listed(visit, list_inspection, FILTERS)
    return visit.render(
        "inspection.html",
        listing=listing,
        opened=opened,
        location=location,
        percent=visit.services.settings.recordings.inspection_percent,
    )

"""Calls that go on, and hanging them up."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from controller.console.listing import Listing, application_names
from controller.console.pages.call_terms import stage
from controller.console.pages.declared import Pages
from controller.console.pages.terms import SERVICES
from controller.console.pages.watched import account_part, account_query, whose
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.problems import Conflict, Invalid, NotFound
from controller.management.resources.calls import hang_up_call
from controller.management.resources.live_calls import LiveCallsView, list_live_calls

pages = Pages()


@pages.get("/live")
async def live(visit: Visit) -> web.StreamResponse:
    """The newest of them."""
    filters = await whose(visit)
    try:
        calls = await visit.run(list_live_calls, query=account_query(visit))
    except (NotFound, Invalid) as problem:
        filters.refused(problem)
        calls = LiveCallsView(calls=0, items=[])
    return visit.render(
        "live.html",
        status=filters.status,
        listing=Listing((), filters),
        **_shown(visit, calls, await application_names(visit)),
    )


@pages.get("/live/events")
async def events(visit: Visit) -> web.StreamResponse:
    """The same, kept up to date."""
    names = await application_names(visit)

    async def now() -> Mapping[str, Any]:
        return _shown(visit, await visit.run(list_live_calls, query=account_query(visit)), names)

    return await visit.follow("live_part.html", now)


@pages.post("/live/{call_id}/hang-up")
async def hang_up(visit: Visit) -> web.StreamResponse:
    """End one."""
    try:
        await visit.run(hang_up_call)
    except Conflict:
        return visit.go("/live" + account_part(visit), N_("That call was over already."))
    return visit.go("/live" + account_part(visit), N_("The call is hung up."))


def _shown(visit: Visit, calls: LiveCallsView, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "names": names,
        "live": calls,
        "services": SERVICES,
        "stage": stage,
        "may_hang_up": visit.allows(hang_up_call),
        "whose_part": account_part(visit),
    }

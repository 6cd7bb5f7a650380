"""How it goes now: calls, why they fail, what they go over, what waits for somebody."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from controller.console.listing import Listing
from controller.console.pages.call_terms import result
from controller.console.pages.declared import Pages
from controller.console.pages.watched import account_part, account_query, whose
from controller.console.visit import Visit
from controller.management.problems import Invalid, NotFound
from controller.management.resources.overview import OverviewView, get_overview
from controller.management.resources.spending import (
    resume_account_calls,
    resume_all_calls,
    stop_account_calls,
    stop_all_calls,
)

pages = Pages()

_BAR, _GAP, _HEIGHT = 8, 2, 60
"""Of the picture of calls per second, in its own units."""
_STEP: Final = _BAR + _GAP


@pages.get("/dashboard")
async def dashboard(visit: Visit) -> web.StreamResponse:
    """The figures of everybody, or of one account."""
    filters = await whose(visit)
    try:
        overview = await visit.run(get_overview, query=account_query(visit))
    except (NotFound, Invalid) as problem:
        filters.refused(problem)
        overview = await visit.run(get_overview)
    return visit.render(
        "dashboard.html",
        status=filters.status,
        listing=Listing((), filters),
        whose_part="" if filters.is_refused else account_part(visit),
        **_shown(visit, overview),
    )


@pages.get("/dashboard/events")
async def events(visit: Visit) -> web.StreamResponse:
    """The same, kept up to date."""

    async def now() -> Mapping[str, Any]:
        return _shown(visit, await visit.run(get_overview, query=account_query(visit)))

    return await visit.follow("dashboard_part.html", now)


def _shown(visit: Visit, overview: OverviewView) -> dict[str, Any]:
    account_id = overview.account_id
    stop, again = (
        (stop_all_calls, resume_all_calls)
        if account_id is None
        else (stop_account_calls, resume_account_calls)
    )
    steps = overview.accepted.steps
    return {
        "overview": overview,
        "stopped": any(hold.account_id == account_id and hold.reason == "stopped" for hold in overview.holds),
        "may_stop": visit.allows(stop),
        "may_resume": visit.allows(again),
        "result": result,
        "bars": bars(steps),
        "width": len(steps) * _STEP,
        "height": _HEIGHT,
        "most": max(steps) / overview.accepted.step_seconds,
    }


def bars(values: Sequence[int]) -> str:
    """The outline of bars as high as these values, as SVG has it; the highest fills the picture."""
    most = max(values, default=0)
    return "".join(
        f"M{index * _STEP} {_HEIGHT}V{_HEIGHT - round(_HEIGHT * value / most)}h{_BAR}V{_HEIGHT}z"
        for index, value in enumerate(values)
        if value
    )

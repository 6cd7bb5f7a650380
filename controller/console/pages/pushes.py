"""Pushes: what became of them, what customers don't have yet, and receivers in trouble."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from controller.console.forms import Field, Form
from controller.console.listing import ACCOUNT, ANY, application_names, list_page
from controller.console.pages.call_terms import failure
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.pushes import (
    enable_push_endpoints,
    list_push_attempts,
    list_push_endpoints,
    list_undelivered_cdrs,
    push_cdrs_again,
)

pages = Pages()

_APPLICATION = Field("app_key", N_("Application"), "suggest")
ATTEMPTS: Final = Form(
    (
        Field(
            "failed",
            N_("What became of it"),
            "choice",
            choices=[("", ANY), ("true", N_("failed")), ("false", N_("taken"))],
        ),
        Field("call_id", N_("Call")),
        _APPLICATION,
        ACCOUNT,
    )
)
UNDELIVERED: Final = Form((_APPLICATION, Field("since", N_("Call over since (UTC)"), "moment"), ACCOUNT))
RECEIVERS: Final = Form((ACCOUNT,))


@pages.get("/pushes")
async def attempts(visit: Visit) -> web.StreamResponse:
    """Every attempt, the newest first."""
    return await _pushes(visit, "push_attempts.html", list_push_attempts, ATTEMPTS, failure=failure)


@pages.get("/pushes/undelivered")
async def undelivered(visit: Visit) -> web.StreamResponse:
    """CDRs that customers don't have, the oldest first."""
    return await _pushes(
        visit,
        "push_undelivered.html",
        list_undelivered_cdrs,
        UNDELIVERED,
        may_push=visit.allows(push_cdrs_again),
    )


@pages.post("/pushes/undelivered/again")
async def push_again(visit: Visit) -> web.StreamResponse:
    """Push one call's CDR again, or all that an application has not got."""
    data = await visit.request.post()
    body = {name: str(data[name]) for name in ("account_id", "app_key", "call_id", "since") if data.get(name)}
    pushed = await visit.run(push_cdrs_again, body=body)
    if not pushed.cdrs:
        return visit.go("/pushes/undelivered", N_("Nothing was left to push: it was delivered meanwhile."))
    return visit.go("/pushes/undelivered", N_("%(count)s CDR(s) are pushed again now."), count=pushed.cdrs)


@pages.get("/pushes/receivers")
async def receivers(visit: Visit) -> web.StreamResponse:
    """Receivers that failed last, and those that are sent nothing any more."""
    return await _pushes(
        visit,
        "push_receivers.html",
        list_push_endpoints,
        RECEIVERS,
        failure=failure,
        may_enable=visit.allows(enable_push_endpoints),
    )


@pages.post("/pushes/receivers/enable")
async def enable(visit: Visit) -> web.StreamResponse:
    """Forget what is held against a receiver, and push what was kept for it."""
    data = await visit.request.post()
    body = {name: str(data.get(name, "")) for name in ("account_id", "app_key")}
    if data.get("kept"):
        # Enables the receivers of what is pushed, too.
        await visit.run(push_cdrs_again, body=body)
    await visit.run(enable_push_endpoints, body={**body, "url": str(data.get("url", ""))})
    return visit.go("/pushes/receivers", N_("The receiver is sent everything again."))


async def _pushes(
    visit: Visit, template: str, handler: Callable[..., Awaitable[Any]], filters: Form, **values: Any
) -> web.StreamResponse:
    """A list that names applications."""
    names = await application_names(visit)
    offered = filters.offering(app_key=list(names.items()))
    return await list_page(visit, template, handler, offered, names=names, **values)

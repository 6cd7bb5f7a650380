"""Lists whose filters stand in the page's address."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.visit import Visit, cursor_of
from controller.console.words import N_
from controller.management.problems import Problem
from controller.management.resources.accounts import list_accounts
from controller.management.resources.applications import list_applications

ACCOUNT = Field("account_id", N_("Account"), "suggest")
"""Of a filter, and of a form for a new thing: asked of the operator's users alone."""
ANY: Final = N_("any")
"""What a filter says that doesn't narrow."""
_SUGGESTED = 500
_NAMED = 200
"""Applications whose names lists show."""


@dataclass
class Listing:
    """A part of a list."""

    items: Sequence[Any]
    filters: Sent
    """What it was narrowed by, with the faults of that."""
    next_cursor: str | None = None

    @property
    def is_narrowed(self) -> bool:
        """Whether there may be more without the filters."""
        return any(self.filters.typed.values())


async def listed(
    visit: Visit, handler: Callable[..., Awaitable[Any]], filters: Form, **fixed: str
) -> Listing:
    """The part of an operation's list that the page's address asks for. A wrong filter finds nothing.

    :param fixed: filters that the page has, whatever its address says.
    """
    filters = await for_whom(visit, filters)
    given = visit.request.query
    sent = Sent(filters, visit, {asked.name: given.get(asked.name, "").strip() for asked in filters.fields})
    query = {name: value for name, value in filters.body(sent.typed).items() if value is not None}
    cursor = {"cursor": given["cursor"]} if "cursor" in given else {}
    try:
        page = await visit.run(handler, query={**query, **fixed, **cursor})
    except Problem as problem:
        if problem.status not in (404, 422):
            raise
        sent.refused(problem)
        return Listing((), sent)
    return Listing(page.items, sent, cursor_of(page.next))


async def list_page(
    visit: Visit, template: str, handler: Callable[..., Awaitable[Any]], filters: Form, **values: Any
) -> web.Response:
    """A page that is a list, made of a template; `values` are what that needs besides."""
    listing = await listed(visit, handler, filters)
    return visit.render(template, status=listing.filters.status, listing=listing, **values)


async def application_names(visit: Visit, **query: str) -> dict[str, str]:
    """By app_key."""
    found = await visit.all_of(list_applications, query=query, most=_NAMED)
    return {app.app_key: app.name for app in found}


async def for_whom(visit: Visit, form: Form) -> Form:
    """The form with the accounts to choose from; without that field for those who have one account."""
    if not any(asked.name == ACCOUNT.name for asked in form.fields):
        return form
    if not visit.user.is_operators:
        return form.without(ACCOUNT.name)
    accounts = await visit.all_of(list_accounts, most=_SUGGESTED)
    return form.offering(account_id=[(account.id, account.name) for account in accounts])

"""Calls, found by any part of what is known of them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.listing import ACCOUNT, ANY, application_names, listed
from controller.console.pages.call_terms import RESULTS, result
from controller.console.pages.declared import Pages
from controller.console.pages.terms import SERVICES
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.calls import list_calls
from controller.management.roles import Role

pages = Pages()


@dataclass(frozen=True)
class _Result(Field):
    """One of those that the operation takes several of."""

    def body_value(self, typed: str | None) -> Any:
        code = super().body_value(typed)
        return None if code is None else [code]


FILTERS: Final = Form(
    (
        Field("text", N_("Number or sessionId")),
        Field(
            "service",
            N_("Service"),
            "choice",
            choices=[("", ANY), *((kind.value, label) for kind, label in SERVICES.items())],
        ),
        _Result(
            "result",
            N_("How it ended"),
            "choice",
            choices=[("", ANY), *((str(code), label) for code, (_kind, label) in RESULTS.items())],
        ),
        Field("since", N_("Since (UTC)"), "moment"),
        Field("until", N_("Until (UTC)"), "moment"),
        Field("caller", N_("Part of the caller's number")),
        Field("callee", N_("Part of the callee's number")),
        Field("app_key", N_("Application"), "suggest"),
        ACCOUNT,
    )
)
SHOWN_AT_ONCE: Final = 5
"""Of the filters; the others are behind a click."""
_LATELY: Final = (
    (timedelta(hours=1), N_("last hour")),
    (timedelta(days=1), N_("last 24 hours")),
    (timedelta(days=7), N_("last 7 days")),
)
"""Times that most look for, with a click."""


@dataclass(frozen=True)
class Chip:
    """A filter that narrows the list."""

    name: str
    label: str
    value: str


@pages.get("/calls")
async def calls(visit: Visit) -> web.StreamResponse:
    """Those that meet the filters in the address, newest first."""
    names = await application_names(visit)
    offered = FILTERS.offering(app_key=list(names.items()))
    listing = await listed(visit, list_calls, offered)
    asked = _query(listing.filters)
    return visit.render(
        "calls.html",
        status=listing.filters.status,
        listing=listing,
        chips=_chips(visit, listing.filters),
        at_once=SHOWN_AT_ONCE,
        lately=_lately(listing.filters),
        services=SERVICES,
        names=names,
        result=result,
        may_call=visit.may(Role.DEVELOPER),
        curl=visit.curl("GET", "/calls", **asked),
        csv=f"/api/v1/calls.csv?{urlencode(asked)}",
    )


def _query(filters: Sent) -> dict[str, str]:
    """The same filters, as the operation is asked with them."""
    body = filters.form.body(filters.typed)
    return {
        name: str(value[0] if isinstance(value, list) else value) for name, value in body.items() if value
    }


def _lately(filters: Sent) -> list[tuple[str, str]]:
    """Addresses of the same list, of late calls alone, and their names."""
    typed = {name: value for name, value in filters.typed.items() if value and name != "until"}
    now = datetime.now(UTC)
    return [
        ("?" + urlencode({**typed, "since": f"{now - much:%Y-%m-%d %H:%M}"}), words)
        for much, words in _LATELY
    ]


def _chips(visit: Visit, filters: Sent) -> list[Chip]:
    chips = []
    for asked in filters.form.fields:
        typed = filters.typed[asked.name]
        if typed:
            labels = {value: label for value, label in asked.choices if asked.kind == "choice"}
            said = visit.text(labels[typed]) if typed in labels else typed
            chips.append(Chip(asked.name, visit.text(asked.label), said))
    return chips

"""The audit trail: who did what, when and from where, and whether it is as it was written."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from controller.console.forms import Field, Form
from controller.console.listing import ACCOUNT, list_page
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.audit import list_audit, verify_audit

pages = Pages()

FILTERS: Final = Form(
    (
        ACCOUNT,
        Field("actor", N_("User id")),
        Field("action", N_("Operation"), placeholder="edit_number"),
        Field("kind", N_("Kind of thing")),
        Field("target", N_("Thing")),
        Field("since", N_("Since (UTC)"), "moment"),
        Field("until", N_("Until (UTC)"), "moment"),
    )
)


@dataclass(frozen=True)
class Difference:
    """What one field was and is; None: it wasn't or isn't there."""

    field: str
    before: str | None
    after: str | None


@pages.get("/audit")
async def audit(visit: Visit) -> web.StreamResponse:
    """What was done, newest first."""
    return await list_page(
        visit,
        "audit.html",
        list_audit,
        FILTERS,
        title=visit.text("Audit trail"),
        differences=differences,
        may_verify=visit.allows(verify_audit),
    )


@pages.get("/audit/verification")
async def verification(visit: Visit) -> web.StreamResponse:
    """Whether nothing in it was changed, moved or removed."""
    return visit.render("audit_verification.html", chain=await visit.run(verify_audit))


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """What changed, field by field; of what is new or gone, all of it."""
    was, is_now = dict(_flat(before or {})), dict(_flat(after or {}))
    return [
        Difference(field, was.get(field), is_now.get(field))
        for field in dict.fromkeys([*was, *is_now])
        if was.get(field) != is_now.get(field)
    ]


def _flat(thing: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in thing.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"{prefix}{name}", said

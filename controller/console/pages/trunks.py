"""Trunks and routes: over which carriers numbers are called, and how these are."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.pages.declared import Pages
from controller.console.pages.kinds import Kind
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.trunks import (
    RouteView,
    TrunkStateView,
    TrunkView,
    create_route,
    create_trunk,
    delete_route,
    delete_trunk,
    edit_route,
    edit_trunk,
    get_route,
    get_trunk,
    list_routes,
    list_trunk_states,
    list_trunks,
)

pages = Pages()
TRUNKS: Final = Kind[TrunkView](
    "/trunks", N_("Trunks and routes"), lambda trunk: trunk.name, lambda trunk: trunk.name, "trunk_name"
)

_PEER: Final = (
    Field("host", N_("Host"), required=True, empty="", help=N_("Name or address of the peer.")),
    Field("port", N_("Port"), "number", required=True),
    Field(
        "user",
        N_("User"),
        heading=N_("How the node proves itself"),
        help=N_("Nothing: the peer knows the node by its address."),
    ),
    Field(
        "password", N_("Password"), "password", help=N_("It is shown nowhere. Left empty, it stays as it is.")
    ),
    Field("registers", N_("The node registers there"), "check", help=N_("Needs a user and a password.")),
    Field(
        "qualify_seconds",
        N_("Seconds between two looks whether it is there"),
        "number",
        required=True,
        heading=N_("State"),
        help=N_("SIP OPTIONS. 0: never, for peers that don't answer that."),
    ),
)
NEW_TRUNK: Final = Form(
    (
        Field(
            "name",
            N_("Name"),
            required=True,
            empty="",
            help=N_("Lower-case letters, digits and -. It can't be changed."),
        ),
        *_PEER,
    )
)
TRUNK: Final = Form(_PEER)
_WAY: Final = (
    Field(
        "trunks",
        N_("Trunks"),
        "lines",
        help=N_("One a line, in the order in which they are tried."),
    ),
    Field(
        "contact",
        N_("A fixed contact instead"),
        placeholder="sip:{number}@127.0.0.1:5070",
        help=N_("For tests. Trunks or a contact, one of the two."),
    ),
)
NEW_ROUTE: Final = Form(
    (
        Field(
            "prefix",
            N_("Numbers that begin with"),
            required=True,
            empty="",
            placeholder="+86",
            help=N_("The longest that fits wins. It can't be changed."),
        ),
        *_WAY,
    )
)
ROUTE: Final = Form(_WAY)
NOTHING: Final = Form(())
_MOST: Final = 200


@pages.get("/trunks")
async def trunks(visit: Visit) -> web.StreamResponse:
    """All trunks with their states, and all routes."""
    states = await visit.run(list_trunk_states)
    return visit.render(
        "trunks.html",
        trunks=await visit.all_of(list_trunks, most=_MOST),
        states=_worst(states.items),
        routes=await visit.all_of(list_routes, most=_MOST),
        may_change=visit.allows(create_trunk),
    )


TRUNKS.made_by(
    pages,
    create_trunk,
    NEW_TRUNK,
    N_("The trunk is there. Calls go over it when a route names it."),
    title=N_("New trunk"),
    values={"port": "5060", "qualify_seconds": "30"},
)


@pages.get("/trunks/{trunk_name}")
async def trunk(visit: Visit) -> web.StreamResponse:
    """One trunk: its state, and what uses it."""
    return await _show_trunk(visit)


TRUNKS.changed_by(
    pages,
    get_trunk,
    edit_trunk,
    TRUNK,
    N_("The trunk is changed. Calls under way go on over it as it was."),
    # A password without a user is of no use, and could not be seen or taken away any more.
    also=lambda sent: {} if sent.typed.get("user", "").strip() else {"password": None},
)


@pages.post("/trunks/{trunk_name}/delete")
async def delete(visit: Visit) -> web.StreamResponse:
    """No such trunk any more."""
    sent = await visit.sent(NOTHING)
    await sent.to(delete_trunk)
    if sent.is_refused:
        return await _show_trunk(visit, sent)
    return visit.go("/trunks", "The trunk is deleted.")


async def _ways(visit: Visit) -> list[str]:
    names = ", ".join(trunk.name for trunk in await visit.all_of(list_trunks, most=_MOST))
    if not names:
        return [visit.text("There is no trunk yet. Create one first, or send numbers to a fixed contact.")]
    return [visit.text("Trunks that there are: %(names)s", names=names)]


TRUNKS.made_by(
    pages,
    create_route,
    NEW_ROUTE,
    lambda visit, _made, _sent: visit.go("/trunks", "The route is there. It is in force within a second."),
    title=N_("New route"),
    at="/routes",
    before=_ways,
)


@pages.get("/routes/{prefix}")
async def route(visit: Visit) -> web.StreamResponse:
    """One route, as a form for those who may change it."""
    present = await visit.run(get_route)
    return await _show_route(visit, visit.blank(ROUTE, present), present)


@pages.post("/routes/{prefix}")
async def change_route(visit: Visit) -> web.StreamResponse:
    """Numbers go another way."""
    present = await visit.run(get_route)
    sent = await visit.sent(ROUTE)
    await sent.to(edit_route, since=present)
    if sent.is_refused:
        return await _show_route(visit, sent, present)
    return visit.go("/trunks", "The route is changed. Calls under way go on as they were routed.")


@pages.post("/routes/{prefix}/delete")
async def route_delete(visit: Visit) -> web.StreamResponse:
    """Numbers go where the next shorter prefix says."""
    await visit.run(delete_route)
    return visit.go("/trunks", "The route is deleted.")


def _worst(states: Iterable[TrunkStateView]) -> dict[str, TrunkStateView]:
    """How each trunk is where it is worst."""
    return {state.name: state for state in sorted(states, key=lambda state: not state.works)}


async def _show_trunk(visit: Visit, done: Sent | None = None) -> web.Response:
    present = await visit.run(get_trunk)
    states = await visit.run(list_trunk_states)
    routes = await visit.all_of(list_routes, most=_MOST)
    return visit.render(
        "trunk.html",
        trunk=present,
        state=_worst(states.items).get(present.name),
        used_by=[route for route in routes if present.name in route.trunks],
        done=done or visit.blank(NOTHING),
        may_change=visit.allows(edit_trunk),
        status=done.status if done else 200,
    )


async def _show_route(visit: Visit, form: Sent, present: RouteView) -> web.Response:
    return visit.render(
        "route.html",
        title=visit.text("Numbers that begin with %(prefix)s", prefix=present.prefix),
        route=present,
        form=form,
        trunks=await visit.all_of(list_trunks, most=_MOST),
        may_change=visit.allows(edit_route),
        version=visit.version_of(present),
        status=form.status,
    )

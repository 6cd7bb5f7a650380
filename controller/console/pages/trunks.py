"""Trunks and routes: over which carriers numbers are called, and how these are."""

from typing import Final
from urllib.parse import quote

from aiohttp import web

from controller.console.forms import Field, Form, Sent
from controller.console.pages.declared import Pages
from controller.console.visit import Visit
from controller.console.words import N_
from controller.management.resources.trunks import (
    RouteView,
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
        states={state.name: state for state in states.items},
        routes=await visit.all_of(list_routes, most=_MOST),
        may_change=visit.allows(create_trunk),
    )


@pages.get("/trunks/new")
async def new_trunk(visit: Visit) -> web.StreamResponse:
    """The form for one more trunk."""
    visit.check(create_trunk)
    return _new_trunk(visit, visit.blank(NEW_TRUNK, port="5060", qualify_seconds="30"))


@pages.post("/trunks/new")
async def create(visit: Visit) -> web.StreamResponse:
    """One more trunk."""
    sent = await visit.sent(NEW_TRUNK)
    made = await sent.to(create_trunk)
    if made is None:
        return _new_trunk(visit, sent)
    return visit.go(_trunk_place(made.name), "The trunk is there. Calls go over it when a route names it.")


@pages.get("/trunks/{trunk_name}")
async def trunk(visit: Visit) -> web.StreamResponse:
    """One trunk: its state, and what uses it."""
    return await _show_trunk(visit)


@pages.get("/trunks/{trunk_name}/edit")
async def edit(visit: Visit) -> web.StreamResponse:
    """What can be changed of a trunk."""
    visit.check(edit_trunk)
    present = await visit.run(get_trunk)
    return _edit_trunk(visit, visit.blank(TRUNK, present), present)


@pages.post("/trunks/{trunk_name}/edit")
async def change(visit: Visit) -> web.StreamResponse:
    """Another peer, or another way to prove oneself."""
    present = await visit.run(get_trunk)
    sent = await visit.sent(TRUNK)
    # A password without a user is of no use, and could not be seen or taken away any more.
    without = {} if sent.typed.get("user", "").strip() else {"password": None}
    await sent.to(edit_trunk, since=present, also=without)
    if sent.is_refused:
        return _edit_trunk(visit, sent, present)
    return visit.go(
        _trunk_place(present.name), "The trunk is changed. Calls under way go on over it as it was."
    )


@pages.post("/trunks/{trunk_name}/delete")
async def delete(visit: Visit) -> web.StreamResponse:
    """No such trunk any more."""
    sent = await visit.sent(NOTHING)
    await sent.to(delete_trunk)
    if sent.is_refused:
        return await _show_trunk(visit, sent)
    return visit.go("/trunks", "The trunk is deleted.")


@pages.get("/routes/new")
async def new_route(visit: Visit) -> web.StreamResponse:
    """The form for one more route."""
    visit.check(create_route)
    return await _new_route(visit, visit.blank(NEW_ROUTE))


@pages.post("/routes/new")
async def route_new(visit: Visit) -> web.StreamResponse:
    """One more route."""
    sent = await visit.sent(NEW_ROUTE)
    if await sent.to(create_route) is None:
        return await _new_route(visit, sent)
    return visit.go("/trunks", "The route is there. It is in force within a second.")


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


async def _show_trunk(visit: Visit, done: Sent | None = None) -> web.Response:
    present = await visit.run(get_trunk)
    states = await visit.run(list_trunk_states)
    routes = await visit.all_of(list_routes, most=_MOST)
    return visit.render(
        "trunk.html",
        trunk=present,
        state=next((state for state in states.items if state.name == present.name), None),
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


def _new_trunk(visit: Visit, form: Sent) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("New trunk"),
        form=form,
        action="/trunks/new",
        button=visit.text("Create"),
        back="/trunks",
        back_title=visit.text("Trunks and routes"),
        status=form.status,
    )


def _edit_trunk(visit: Visit, form: Sent, present: TrunkView) -> web.Response:
    return visit.render(
        "form.html",
        title=visit.text("Settings of %(name)s", name=present.name),
        form=form,
        action=_trunk_place(present.name) + "/edit",
        button=visit.text("Save"),
        back=_trunk_place(present.name),
        back_title=present.name,
        version=visit.version_of(present),
        status=form.status,
    )


async def _new_route(visit: Visit, form: Sent) -> web.Response:
    names = ", ".join(trunk.name for trunk in await visit.all_of(list_trunks, most=_MOST))
    return visit.render(
        "form.html",
        title=visit.text("New route"),
        before=[visit.text("Trunks that there are: %(names)s", names=names)]
        if names
        else [visit.text("There is no trunk yet. Create one first, or send numbers to a fixed contact.")],
        form=form,
        action="/routes/new",
        button=visit.text("Create"),
        back="/trunks",
        back_title=visit.text("Trunks and routes"),
        status=form.status,
    )


def _trunk_place(name: str) -> str:
    return f"/trunks/{quote(name)}"

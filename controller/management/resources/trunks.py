"""Trunks and routes: over which carriers numbers are called, and how these are."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr
from sqlalchemy import select
from sqlmodel import Session, col

from controller.accounts.declaration import reserved_clashes
from controller.asterisk.routing import RouteConfiguration, TrunkConfiguration
from controller.asterisk.trunk_states import TrunkState
from controller.faults import NUMBER_START, TRUNK_NAME
from controller.management.context import Change, Context
from controller.management.models import Edit, Input, Page, PageQuery, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict, Use, wrong_field
from controller.management.roles import Role, Scope
from controller.store.tables import Route, Trunk

operations = Operations("trunk")


def _exists(table: type[Trunk] | type[Route]) -> Any:
    def find(session: Session, key: str) -> Owner | None:
        return None if session.get(table, key) is None else Owner(None)

    return find


TRUNK = Kind("trunk", "trunk_name", "The trunk.", _exists(Trunk), TRUNK_NAME)
ROUTE = Kind("route", "prefix", "The route's prefix, its + as %2B.", _exists(Route), NUMBER_START)


class TrunkView(View):
    """A SIP peer that takes calls."""

    name: str
    """Names it everywhere."""
    host: str
    """Name or address of the peer."""
    port: int
    """Its port."""
    user: str | None
    """With what the node proves itself; null: by its address."""
    has_password: bool
    """Whether a password is set; it is shown nowhere."""
    registers: bool
    """Whether the node registers there."""
    qualify_seconds: int
    """How often it is asked whether it is there; 0: never."""


class NewTrunk(Input):
    """A trunk to be."""

    name: str = Field(pattern=TRUNK_NAME)
    """Lower-case letters, digits and -; can't be changed."""
    host: str = Field(min_length=1, max_length=253)
    """Name or address of the peer."""
    port: int = Field(5060, ge=1, le=65535)
    """Its port."""
    user: str | None = Field(None, max_length=128)
    """With what the node proves itself."""
    password: SecretStr | None = Field(None, max_length=128)
    """The same."""
    registers: bool = False
    """Whether the node registers there."""
    qualify_seconds: int = Field(30, ge=0, le=86400)
    """How often it is asked whether it is there; 0: never."""


class TrunkEdit(Edit):
    """What changes; the rest stays."""

    host: str = Field("", min_length=1, max_length=253)
    """Name or address of the peer."""
    port: int = Field(5060, ge=1, le=65535)
    """Its port."""
    user: str | None = Field(None, max_length=128)
    """With what the node proves itself."""
    password: SecretStr | None = Field(None, max_length=128)
    """The same."""
    registers: bool = False
    """Whether the node registers there."""
    qualify_seconds: int = Field(30, ge=0, le=86400)
    """How often it is asked whether it is there; 0: never."""


class TrunkStateView(View):
    """How a trunk is, as far as the node knows."""

    name: str
    """Which."""
    node: str
    """On which node."""
    works: bool
    """Nothing is known against it: calls go over it first where it stands first."""
    reachable: bool | None
    """Whether it answers OPTIONS; null: it isn't asked, or that is not known yet."""
    registered: bool | None
    """Whether the node is registered there; null: it does not register, or that is not known yet."""
    registration: str | None
    """In Asterisk's words."""


class TrunkStatesView(View):
    """How all trunks are."""

    items: list[TrunkStateView]
    """By name."""


class RouteView(View):
    """Where numbers with a prefix go; the longest prefix wins."""

    prefix: str
    """Start of the numbers."""
    trunks: list[str]
    """In the order in which they are tried."""
    contact: str | None
    """A fixed contact instead, for tests."""


class NewRoute(Input):
    """A route to be: trunks, or a contact."""

    prefix: str = Field(pattern=NUMBER_START)
    """Start of the numbers, such as +86; can't be changed."""
    trunks: list[str] = Field([], max_length=10)
    """In the order in which they are tried."""
    contact: str | None = Field(None, max_length=300)
    """A fixed contact such as sip:{number}@127.0.0.1:5070."""


class RouteEdit(Edit):
    """What changes; the rest stays."""

    trunks: list[str] = Field([], max_length=10)
    """In the order in which they are tried."""
    contact: str | None = Field(None, max_length=300)
    """A fixed contact such as sip:{number}@127.0.0.1:5070."""


def _view(row: Trunk) -> TrunkView:
    return TrunkView(
        name=row.name,
        host=row.host,
        port=row.port,
        user=row.user,
        has_password=row.password is not None,
        registers=row.register_,
        qualify_seconds=row.qualify_seconds,
    )


def trunk_state_view(node: str, state: TrunkState) -> TrunkStateView:
    """How a trunk's state on a node is shown."""
    return TrunkStateView(
        name=state.name,
        node=node,
        works=state.works,
        reachable=state.reachable,
        registered=state.registered,
        registration=state.registration,
    )


def _route(row: Route) -> RouteView:
    return RouteView(prefix=row.prefix, trunks=list(row.trunks), contact=row.contact)


def _check_trunk(row: Trunk) -> None:
    """Raises Invalid: every part becomes a line of Asterisk's configuration."""
    try:
        TrunkConfiguration(
            row.name, row.host, row.port, row.user, row.password, row.register_, row.qualify_seconds
        )
    except ValueError as error:
        raise wrong_field(_field(str(error)), str(error)) from None


def _field(text: str) -> str:
    for word, name in (("is not a host", "host"), ("registration", "registers"), ("user or", "user")):
        if word in text:
            return name
    return "name"


def _check_route(session: Session, row: Route, reserved: Mapping[str, str]) -> None:
    """Raises Invalid."""
    try:
        RouteConfiguration(row.prefix, tuple(row.trunks), row.contact)
    except ValueError as error:
        raise wrong_field("contact" if "SIP contact" in str(error) else "trunks", str(error)) from None
    for name in row.trunks:
        if session.get(Trunk, name) is None:
            raise wrong_field("trunks", f"there is no trunk {name}"[:200])
    for clash in reserved_clashes(reserved, [], [row.prefix]):
        raise wrong_field("prefix", clash)


def _columns(body: NewTrunk | TrunkEdit, given: set[str]) -> dict[str, Any]:
    values = {name: getattr(body, name) for name in given}
    if "registers" in values:
        values["register_"] = values.pop("registers")
    if isinstance(password := values.get("password"), SecretStr):
        values["password"] = password.get_secret_value()
    return values


@operations.get("/trunks", needs=Role.VIEWER, scope=Scope.OPERATOR)
async def list_trunks(ctx: Context, query: PageQuery) -> Page[TrunkView]:
    """List trunks."""
    return await ctx.page(select(Trunk), [col(Trunk.name)], query, _view)


@operations.get("/trunk-states", needs=Role.VIEWER, scope=Scope.OPERATOR)
async def list_trunk_states(ctx: Context) -> TrunkStatesView:
    """List how the trunks are on each node: whether they answer, and whether the node is registered there."""
    states = ctx.services.fleet.trunk_states()
    return TrunkStatesView(items=[trunk_state_view(node, state) for node, state in states])


@operations.post(
    "/trunks",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    problems=[Conflict],
    example={"name": "carrier-a", "host": "sip.carrier.example", "user": "acme", "password": "of-a-carrier"},
)
async def create_trunk(ctx: Context, body: NewTrunk) -> TrunkView:
    """Create a trunk.

    It is in force within a second; calls under way go on.
    """

    def create(change: Change) -> TrunkView:
        if change.session.get(Trunk, body.name) is not None:
            raise Conflict(f"There is a trunk {body.name} already")
        row = Trunk(**_columns(body, set(type(body).model_fields)))
        _check_trunk(row)
        change.session.add(row)
        change.session.flush()
        made = _view(row)
        change.record("trunk", row.name, after=made)
        change.in_force()
        return made

    return await ctx.change(create)


@operations.get("/trunks/{trunk_name}", needs=Role.VIEWER, scope=Scope.OPERATOR, kinds=[TRUNK])
async def get_trunk(ctx: Context) -> TrunkView:
    """Read a trunk."""
    return await ctx.read(lambda session: _view(session.get_one(Trunk, ctx.path["trunk_name"])))


@operations.patch(
    "/trunks/{trunk_name}",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[TRUNK],
    example={"host": "192.0.2.7"},
)
async def edit_trunk(ctx: Context, body: TrunkEdit) -> TrunkView:
    """Change a trunk.

    Calls under way go on over it as it was.
    """

    def edit(change: Change) -> TrunkView:
        row = change.find(Trunk, ctx.path["trunk_name"])
        before = _view(row)
        change.expect(before)
        for name, value in _columns(body, body.model_fields_set).items():
            setattr(row, name, value)
        _check_trunk(row)
        change.session.flush()
        after = _view(row)
        change.record("trunk", row.name, before=before, after=after)
        change.in_force()
        return after

    return await ctx.change(edit)


@operations.delete(
    "/trunks/{trunk_name}", needs=Role.OPERATOR, scope=Scope.OPERATOR, kinds=[TRUNK], problems=[Conflict]
)
async def delete_trunk(ctx: Context) -> None:
    """Delete a trunk that no route uses.

    Calls under way go on.
    """

    def delete(change: Change) -> None:
        row = change.find(Trunk, ctx.path["trunk_name"])
        routes = change.session.execute(select(Route)).scalars()
        users = [Use(kind="route", id=route.prefix) for route in routes if row.name in route.trunks]
        if users:
            raise Conflict(f"Routes use the trunk {row.name}", uses=users)
        change.record("trunk", row.name, before=_view(row))
        change.session.delete(row)
        change.in_force()

    await ctx.change(delete)


@operations.get("/routes", needs=Role.VIEWER, scope=Scope.OPERATOR)
async def list_routes(ctx: Context, query: PageQuery) -> Page[RouteView]:
    """List routes, by prefix."""
    return await ctx.page(select(Route), [col(Route.prefix)], query, _route)


@operations.post(
    "/routes",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    problems=[Conflict],
    example={"prefix": "+86", "contact": "sip:{number}@127.0.0.1:5070"},
)
async def create_route(ctx: Context, body: NewRoute) -> RouteView:
    """Create a route.

    It is in force within a second.
    """

    def create(change: Change) -> RouteView:
        if change.session.get(Route, body.prefix) is not None:
            raise Conflict(f"There is a route {body.prefix} already")
        row = Route(prefix=body.prefix, trunks=list(body.trunks), contact=body.contact)
        _check_route(change.session, row, ctx.services.settings.reserved_prefixes)
        change.session.add(row)
        change.session.flush()
        made = _route(row)
        change.record("route", row.prefix, after=made)
        change.in_force()
        return made

    return await ctx.change(create)


@operations.get("/routes/{prefix}", needs=Role.VIEWER, scope=Scope.OPERATOR, kinds=[ROUTE])
async def get_route(ctx: Context) -> RouteView:
    """Read a route."""
    return await ctx.read(lambda session: _route(session.get_one(Route, ctx.path["prefix"])))


@operations.patch(
    "/routes/{prefix}",
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[ROUTE],
    example={"contact": "sip:{number}@127.0.0.1:5072"},
)
async def edit_route(ctx: Context, body: RouteEdit) -> RouteView:
    """Change where numbers go.

    Calls under way go on as they were routed.
    """

    def edit(change: Change) -> RouteView:
        row = change.find(Route, ctx.path["prefix"])
        before = _route(row)
        change.expect(before)
        for name in body.model_fields_set:
            setattr(row, name, getattr(body, name))
        _check_route(change.session, row, ctx.services.settings.reserved_prefixes)
        change.session.flush()
        after = _route(row)
        change.record("route", row.prefix, before=before, after=after)
        change.in_force()
        return after

    return await ctx.change(edit)


@operations.delete("/routes/{prefix}", needs=Role.OPERATOR, scope=Scope.OPERATOR, kinds=[ROUTE])
async def delete_route(ctx: Context) -> None:
    """Delete a route.

    Numbers go where the next shorter prefix says, or can't be called.
    """

    def delete(change: Change) -> None:
        row = change.find(Route, ctx.path["prefix"])
        change.record("route", row.prefix, before=_route(row))
        change.session.delete(row)
        change.in_force()

    await ctx.change(delete)

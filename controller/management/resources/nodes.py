"""The Asterisk nodes that this controller makes calls on, and whether all is well."""

from importlib.metadata import version

from sqlalchemy import func, select
from sqlmodel import Session, col

from controller.asterisk.node import Node
from controller.management.context import Change, Context
from controller.management.models import Page, View
from controller.management.operations import Kind, Operations, Owner
from controller.management.problems import Conflict, NotFound
from controller.management.roles import Role, Scope
from controller.store.schema import present_revision
from controller.store.tables import Call, DrainedNode

operations = Operations("node")

NODE = Kind("node", "node_name", "The node, as in the settings.", lambda _session, _name: Owner(None))


class NodeView(View):
    """An Asterisk."""

    name: str
    """What it is called in the settings."""
    available: bool
    """Whether new calls can be made on it now."""
    reachable: bool
    """Whether the controller has a connection to it."""
    draining: bool
    """Whether it gets no new calls because somebody wants that."""
    weight: float
    """Its share of the calls, among several nodes."""
    version: str | None
    """Of Asterisk; null: it can't be asked now."""
    started_at: str | None
    """When Asterisk was started, in its own words and its own zone."""
    live_calls: int
    """Calls that are under way on it."""


class NodeDrainView(View):
    """Whether a node is drained."""

    name: str
    """What it is called in the settings."""
    draining: bool
    """Whether it gets no new calls."""


class HealthView(View):
    """How the platform is."""

    healthy: bool
    """Whether calls can be made."""
    version: str
    """Of the controller that answers."""
    controller: str
    """Its host name, as it ends session ids."""
    schema_revision: str
    """Of the database."""
    directory_revision: int
    """How often accounts, applications, numbers and the like were changed; what is in force here."""
    nodes: int
    """Nodes that there are."""
    available_nodes: int
    """Nodes that take calls."""
    live_calls: int
    """Calls that are under way, on all nodes."""


@operations.get("/nodes", needs=Role.VIEWER, scope=Scope.OPERATOR)
async def list_nodes(ctx: Context) -> Page[NodeView]:
    """List the Asterisk nodes, with their state."""
    return Page[NodeView](items=[await _shown(ctx, node) for node in ctx.services.fleet], next=None)


async def _shown(ctx: Context, node: Node) -> NodeView:
    told = await node.info()
    return NodeView(
        name=node.name,
        available=node.takes_calls and told is not None,
        reachable=told is not None,
        draining=node.draining,
        weight=node.settings.weight,
        version=told.version if told else None,
        started_at=told.startup_time if told else None,
        live_calls=await ctx.read(lambda session: _live_calls(session, node.name)),
    )


@operations.post(
    "/nodes/{node_name}/drain",
    status=200,
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[NODE],
    problems=[Conflict],
)
async def drain_node(ctx: Context) -> NodeDrainView:
    """Give a node no new calls; those under way end by themselves.

    It is so at every controller within a second, and after restarts, until the node is resumed.
    """
    return await _drain(ctx, True)


@operations.post(
    "/nodes/{node_name}/resume",
    status=200,
    needs=Role.OPERATOR,
    scope=Scope.OPERATOR,
    kinds=[NODE],
    problems=[Conflict],
)
async def resume_node(ctx: Context) -> NodeDrainView:
    """Give a drained node calls again."""
    return await _drain(ctx, False)


async def _drain(ctx: Context, drains: bool) -> NodeDrainView:
    """Raises NotFound, Conflict."""
    name = ctx.path["node_name"]

    def change_it(change: Change) -> NodeDrainView:
        row = change.session.get(DrainedNode, name)
        if row is None and name not in (node.name for node in ctx.services.settings.nodes):
            raise NotFound
        if drains == (row is not None):
            raise Conflict("It is drained already" if drains else "It is not drained")
        if row is None:
            change.session.add(DrainedNode(name=name, since=ctx.services.clock.now()))
        else:
            change.session.delete(row)
        before, after = (NodeDrainView(name=name, draining=now) for now in (not drains, drains))
        change.record("node", name, before=before, after=after)
        change.in_force()
        return after

    return await ctx.change(change_it)


@operations.get("/health", needs=Role.VIEWER, scope=Scope.OPERATOR)
async def get_health(ctx: Context) -> HealthView:
    """How the platform is."""
    services = ctx.services
    return HealthView(
        healthy=services.fleet.takes_calls,
        version=version("voicecall"),
        controller=services.settings.host_name,
        schema_revision=await ctx.read(present_revision),
        directory_revision=services.directory.now.revision,
        nodes=len(services.fleet),
        available_nodes=sum(node.takes_calls for node in services.fleet),
        live_calls=await ctx.read(_live_calls),
    )


def _live_calls(session: Session, node: str | None = None) -> int:
    statement = select(func.count()).select_from(Call).where(col(Call.ended_at).is_(None))
    if node is not None:
        statement = statement.where(col(Call.node) == node)
    found: int = session.execute(statement).scalar_one()
    return found

"""The Asterisk nodes that this controller makes calls on, and whether all is well."""

from importlib.metadata import version

from sqlalchemy import func, select
from sqlmodel import Session, col

from controller.management.context import Context
from controller.management.models import Page, View
from controller.management.operations import Operations
from controller.management.roles import Role, Scope
from controller.store.schema import present_revision
from controller.store.tables import Call

operations = Operations("node")


class NodeView(View):
    """An Asterisk."""

    name: str
    """What it is called in the settings."""
    available: bool
    """Whether calls can be made on it now."""
    version: str | None
    """Of Asterisk; null: it can't be asked now."""
    started_at: str | None
    """When Asterisk was started, in its own words and its own zone."""
    live_calls: int
    """Calls that are under way on it."""


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
    node = ctx.services.node
    told = await node.info()
    shown = NodeView(
        name=node.name,
        available=told is not None,
        version=told.version if told else None,
        started_at=told.startup_time if told else None,
        live_calls=await ctx.read(lambda session: _live_calls(session, node.name)),
    )
    return Page[NodeView](items=[shown], next=None)


@operations.get("/health", needs=Role.VIEWER, scope=Scope.OPERATOR)
async def get_health(ctx: Context) -> HealthView:
    """How the platform is."""
    services = ctx.services
    return HealthView(
        healthy=services.node.available,
        version=version("voicecall"),
        controller=services.settings.host_name,
        schema_revision=await ctx.read(present_revision),
        directory_revision=services.directory.now.revision,
        nodes=1,
        available_nodes=int(services.node.available),
        live_calls=await ctx.read(_live_calls),
    )


def _live_calls(session: Session, node: str | None = None) -> int:
    statement = select(func.count()).select_from(Call).where(col(Call.ended_at).is_(None))
    if node is not None:
        statement = statement.where(col(Call.node) == node)
    found: int = session.execute(statement).scalar_one()
    return found

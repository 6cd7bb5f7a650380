"""Alembic's entry: runs the migrations on the connection that `controller.store.schema` hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel.sql.sqltypes import AutoString

from controller.store.billing_tables import Amount
from controller.store.schema import METADATA
from controller.store.tables import UtcDateTime


def render_type(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Migrations name SQL's own types, so that they outlive the code of their day."""
    if kind == "type" and isinstance(item, AutoString):
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Amount):
        return "sa.BigInteger()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=METADATA, render_as_batch=True, render_item=render_type
)
with context.begin_transaction():
    context.run_migrations()

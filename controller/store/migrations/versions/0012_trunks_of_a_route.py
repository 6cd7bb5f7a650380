"""a route has several trunks; how often a trunk is asked whether it is there

Revision ID: 0012
Revises: 0011
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trunk", sa.Column("qualify_seconds", sa.Integer(), nullable=False, server_default="30"))
    routes = _routes("trunk")
    _replace(
        sa.Column("trunks", sa.JSON(), nullable=False),
        [
            {"prefix": prefix, "trunks": [trunk] if trunk else [], "contact": contact}
            for prefix, trunk, contact in routes
        ],
    )


def downgrade() -> None:
    """Of several trunks the first that there is stays: one that a declaration left out is not there."""
    found = op.get_bind().execute(sa.text("SELECT name FROM trunk"))
    there = {name for (name,) in found}
    routes = _routes("trunks")
    _replace(
        sa.Column("trunk", sa.String(), sa.ForeignKey("trunk.name"), nullable=True),
        [
            {
                "prefix": prefix,
                "trunk": next((name for name in trunks if name in there), None),
                "contact": contact,
            }
            for prefix, trunks, contact in routes
        ],
    )
    op.drop_column("trunk", "qualify_seconds")


def _routes(column: str) -> list[tuple[str, Any, str | None]]:
    kind = sa.JSON() if column == "trunks" else sa.String()
    route = sa.table("route", sa.column("prefix"), sa.column(column, kind), sa.column("contact"))
    return [(row.prefix, row[1], row.contact) for row in op.get_bind().execute(sa.select(route))]


def _replace(column: sa.Column[object], rows: list[dict[str, object]]) -> None:
    op.drop_table("route")
    route = op.create_table(
        "route",
        sa.Column("prefix", sa.String(length=32), primary_key=True),
        column,
        sa.Column("contact", sa.String(), nullable=True),
    )
    if rows:
        op.bulk_insert(route, rows)

"""CDRs are numbered in the order in which calls were ended

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_PUSHES = "call_id, app_key, url, ended_at, attempts, due_at, message_id, delivered_at, filed_at"


def upgrade() -> None:
    _rebuild(
        sa.Column("number", sa.Integer(), primary_key=True),
        sa.Column("call_id", sa.String(), sa.ForeignKey("call.id"), nullable=False, unique=True),
        counts=True,
    )


def downgrade() -> None:
    _rebuild(sa.Column("call_id", sa.String(), sa.ForeignKey("call.id"), primary_key=True))


def _rebuild(*keys: sa.Column[object], counts: bool = False) -> None:
    """A table gets another primary key by being copied, and what refers to it must be out of the way."""
    op.execute(f"CREATE TEMPORARY TABLE cdr_push_kept AS SELECT {_PUSHES} FROM cdr_push")  # noqa: S608
    op.drop_table("cdr_push")
    op.drop_index("ix_cdr_app_key", "cdr")
    op.drop_index("ix_cdr_ended_at", "cdr")
    op.rename_table("cdr", "cdr_kept")
    op.create_table(
        "cdr",
        *keys,
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sqlite_autoincrement=counts,
    )
    op.execute(
        "INSERT INTO cdr (call_id, app_key, ended_at, record) "
        "SELECT call_id, app_key, ended_at, record FROM cdr_kept ORDER BY ended_at, call_id"
    )
    op.drop_table("cdr_kept")
    op.create_index("ix_cdr_app_key", "cdr", ["app_key"])
    op.create_index("ix_cdr_ended_at", "cdr", ["ended_at"])
    op.create_table(
        "cdr_push",
        sa.Column("call_id", sa.String(), sa.ForeignKey("cdr.call_id"), primary_key=True),
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.execute(f"INSERT INTO cdr_push ({_PUSHES}) SELECT {_PUSHES} FROM cdr_push_kept")  # noqa: S608
    op.create_index("ix_cdr_push_due_at", "cdr_push", ["due_at"])
    op.drop_table("cdr_push_kept")

"""pushes: profiles, attempts, endpoints

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "call_push",
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("delivered", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"]),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index("ix_call_push_due_at", "call_push", ["due_at"])
    op.create_table(
        "push_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("call_id", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(), nullable=False),
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("event_type", sa.String(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("answer", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_push_attempt_call_id", "push_attempt", ["call_id"])
    op.create_table(
        "push_endpoint",
        sa.Column("app_key", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("app_key", "url"),
    )
    op.add_column("app", sa.Column("push_profile", sa.String(), nullable=False, server_default="compat"))
    op.add_column("app", sa.Column("webhook_secrets", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("call", sa.Column("push_profile", sa.String(), nullable=False, server_default="compat"))
    op.add_column("cdr_push", sa.Column("message_id", sa.String(), nullable=True))


def downgrade() -> None:
    for table, column in (
        ("cdr_push", "message_id"),
        ("call", "push_profile"),
        ("app", "webhook_secrets"),
        ("app", "push_profile"),
    ):
        op.drop_column(table, column)
    op.drop_table("push_endpoint")
    op.drop_table("push_attempt")
    op.drop_table("call_push")

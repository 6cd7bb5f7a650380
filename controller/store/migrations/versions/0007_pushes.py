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
    with op.batch_alter_table("app", schema=None) as batch_op:
        batch_op.add_column(sa.Column("push_profile", sa.String(), nullable=False, server_default="compat"))
        batch_op.add_column(sa.Column("webhook_secrets", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("call", schema=None) as batch_op:
        batch_op.add_column(sa.Column("push_profile", sa.String(), nullable=False, server_default="compat"))
    with op.batch_alter_table("cdr_push", schema=None) as batch_op:
        batch_op.add_column(sa.Column("message_id", sa.String(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("cdr_push", schema=None) as batch_op:
        batch_op.drop_column("message_id")
    with op.batch_alter_table("call", schema=None) as batch_op:
        batch_op.drop_column("push_profile")
    with op.batch_alter_table("app", schema=None) as batch_op:
        batch_op.drop_column("webhook_secrets")
        batch_op.drop_column("push_profile")
    op.drop_table("push_endpoint")
    op.drop_table("push_attempt")
    op.drop_table("call_push")

"""number states and bind numbers

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("app", sa.Column("bind_number", sa.String(length=32), nullable=True))
    op.add_column("call", sa.Column("bind_number", sa.String(), nullable=True))
    op.add_column("number", sa.Column("state", sa.String(), nullable=False, server_default="active"))
    op.execute("UPDATE number SET state = 'suspended' WHERE NOT active")
    with op.batch_alter_table("number", schema=None) as batch_op:
        batch_op.drop_column("active")


def downgrade() -> None:
    op.add_column("number", sa.Column("active", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute(sa.text("UPDATE number SET active = :no WHERE state <> 'active'").bindparams(no=False))
    for table, column in (("number", "state"), ("call", "bind_number"), ("app", "bind_number")):
        op.drop_column(table, column)

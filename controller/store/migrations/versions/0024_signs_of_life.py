"""when controllers gave their last sign of life, and until when calls that were left behind were looked after

Revision ID: 0024
Revises: 0023
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("controller", sa.Column("alive_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("call", sa.Column("left_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    for table, column in (("call", "left_at"), ("controller", "alive_at")):
        op.drop_column(table, column)

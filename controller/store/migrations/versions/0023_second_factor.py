"""second factor, and when sessions began and were used

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("platform_user", schema=None) as batch_op:
        batch_op.add_column(sa.Column("second_factor", sa.String(), nullable=True))
        batch_op.add_column(sa.Column("second_factor_since", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("second_factor_step", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.add_column(sa.Column("began_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("login_session", schema=None) as batch_op:
        batch_op.drop_column("used_at")
        batch_op.drop_column("began_at")
    with op.batch_alter_table("platform_user", schema=None) as batch_op:
        batch_op.drop_column("second_factor_step")
        batch_op.drop_column("second_factor_since")
        batch_op.drop_column("second_factor")
